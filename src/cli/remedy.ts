/** What to do about a connection that failed, by the code that the system, TLS or node gives the failure. */
const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: see that the server runs, and on this port.',
  ENOTFOUND: 'There is no such host: check the address.',
  EAI_AGAIN: 'The name cannot be looked up: check the network.',
  ECONNRESET: 'The other side cut the connection: its log, or that of a proxy, should say why.',
  ETIMEDOUT: 'The host does not answer: check the address and what filters the way to it.',
  EHOSTUNREACH: 'There is no way to that host: check the network.',
  ENETUNREACH: 'There is no way to that host: check the network.',
  EPROTO: 'That port does not speak TLS: try http://.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'That port does not speak TLS: try http://.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'That port does not speak TLS: try http://.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'The certificate is signed by itself: set NODE_EXTRA_CA_CERTS to its file.',
  SELF_SIGNED_CERT_IN_CHAIN: 'The certificate’s authority is not known here: set NODE_EXTRA_CA_CERTS to its file.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'The certificate’s authority is not known here: have the server send the whole chain, or set NODE_EXTRA_CA_CERTS.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'The certificate’s authority is not known here: set NODE_EXTRA_CA_CERTS to its file.',
  CERT_HAS_EXPIRED: 'The certificate has expired: renew it.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is for another host: check the address.',
  UND_ERR_CONNECT_TIMEOUT: 'The host does not answer: check the address and what filters the way to it.',
  UND_ERR_BODY_TIMEOUT: 'Node ends a stream that is silent for five minutes: have the server send heartbeats.',
}

/** What to do about a response that is no stream, by its status. */
const BY_STATUS: Readonly<Record<number, string>> = {
  401: "Give credentials: --header 'Authorization: Bearer …'.",
  403: "These credentials are not enough, or there are none: --header 'Authorization: Bearer …'.",
  404: 'Check the path of the address.',
  405: 'This address does not take this method. With --data, tail asks by POST.',
  406: 'The server refuses to answer with text/event-stream: check the address.',
  410: 'What was there is gone: check the address.',
  429: 'There are too many requests or connections from here: wait, or close some.',
  502: 'A proxy cannot reach the server behind it: see that it runs.',
  503: 'The server takes no connections at present.',
  504: 'A proxy has waited too long for the server behind it.',
}

/** The code of a failure, or of what led to it. */
export function codeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string' && at.code in BY_CODE) return at.code
  return undefined
}

/** What to do about a connection that failed; `undefined` where the failure itself has to say it. */
export function remedyOf(error: unknown): string | undefined {
  return BY_CODE[codeOf(error) ?? '']
}

/** What to do about a status; `undefined` where it has to speak for itself. */
export function remedyOfStatus(status: number): string | undefined {
  return BY_STATUS[status]
}
