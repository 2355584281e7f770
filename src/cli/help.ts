/** What there is. */
export const HELP = `eventwire: event streams (text/event-stream), seen from the terminal

  eventwire tail URL     show the events of a stream as they come
  eventwire check URL    say whether a stream, and the proxies before it, do it right
  eventwire help tail    the options of a command
  eventwire --version

Any server's streams will do, not only eventwire's.`

/** The help of each command. */
export const HELPS: ReadonlyMap<string, string> = new Map([
  [
    'tail',
    `eventwire tail URL: show the events of a stream as they come

  --event NAME            only events of this name; may be given again
  --last-event-id ID      begin behind this event
  --header 'NAME: VALUE'  send this header; may be given again
  --data TEXT             POST this; as application/json where it is JSON
  --once                  do not reconnect
  --pretty                JSON over several lines
  --json                  one JSON object for each event, for other programs:
                          {"event","data","id","at"}; data is a string where it is no JSON

Events go to standard output, all else to standard error. What is cut is
connected again, and goes on where it was if the server can.

Exit code: 0 the stream is over, or Ctrl-C; 1 it is refused for good, or fails
with --once; 2 wrong usage.`,
  ],
  [
    'check',
    `eventwire check URL: say whether a stream, and the proxies before it, do it right

  --time SECONDS          how long to watch at most (default 20)
  --header 'NAME: VALUE'  send this header; may be given again
  --origin ORIGIN         also whether pages of this origin may read it (CORS)
  --json                  one JSON object: {"url","verdict","findings"}

It asks for the stream, watches it, asks again from where it was, and asks
with HEAD. Each line says ok, warn or fail, what was seen, and what to do.

Exit code: 0 nothing failed; 1 something did; 2 wrong usage.`,
  ],
])
