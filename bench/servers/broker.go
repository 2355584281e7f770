// The classic broker in Go: a map of channels, one goroutine for each client, Fprintf and Flush. It is told what to do as the
// other servers are: through a port one above its own.
//
//	broker PORT
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

type sample struct {
	ID   int     `json:"id"`
	Type string  `json:"type"`
	Sym  string  `json:"sym"`
	Px   float64 `json:"px"`
	Qty  int     `json:"qty"`
	T    string  `json:"t"`
	Note string  `json:"note"`
}

type broker struct {
	events           chan []byte
	joining, leaving chan chan []byte
	clients          map[chan []byte]bool
	nextID           int
}

func (b *broker) run() {
	for {
		select {
		case client := <-b.joining:
			b.clients[client] = true
		case client := <-b.leaving:
			delete(b.clients, client)
		case event := <-b.events:
			for client := range b.clients {
				client <- event
			}
		}
	}
}

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flusher := w.(http.Flusher)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	fmt.Fprint(w, ":ok\n\n")
	flusher.Flush()
	events := make(chan []byte, 16)
	b.joining <- events
	defer func() { b.leaving <- events }()
	for {
		select {
		case <-r.Context().Done():
			return
		case event := <-events:
			fmt.Fprintf(w, "data: %s\n\n", event)
			flusher.Flush()
		}
	}
}

// The clock that the load reads too; Go's own has no common zero.
func nowUs() int64 {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&t)), 0)
	return t.Sec*1_000_000 + t.Nsec/1_000
}

func (b *broker) publish(count int) {
	for i := 0; i < count; i++ {
		b.nextID++
		event, _ := json.Marshal(sample{b.nextID, "tick", "ACME", 123.45, 100, fmt.Sprintf("~%016d", nowUs()), "abcdefghijklmnopqrst"})
		b.events <- event
	}
}

func (b *broker) obey(control net.Conn) {
	defer control.Close()
	reader := bufio.NewReader(control)
	line, err := reader.ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) < 3 || words[0] != "flat" {
		return
	}
	window, _ := strconv.Atoi(words[1])
	burst, _ := strconv.Atoi(words[2])
	arrived := make([]byte, 65536)
	for underWay := 0; ; {
		for underWay+burst <= window {
			underWay += burst
			b.publish(burst)
		}
		n, err := reader.Read(arrived)
		if err != nil {
			return
		}
		underWay -= n
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	port, _ := strconv.Atoi(os.Args[1])
	b := &broker{make(chan []byte, 1), make(chan chan []byte), make(chan chan []byte), map[chan []byte]bool{}, 100_000}
	go b.run()
	control, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			connection, err := control.Accept()
			if err != nil {
				return
			}
			go b.obey(connection)
		}
	}()
	streams, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		panic(err)
	}
	fmt.Println("READY {}")
	http.Serve(streams, b)
}
