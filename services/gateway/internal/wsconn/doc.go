// Package wsconn wraps one websocket connection for the gateway: cheap while idle,
// writes that never block the caller, and a close that ends in bounded time. It is the
// only package that imports the websocket library. The library does the handshake,
// reads messages and answers pings; writing, closing and checking the client's bytes
// are done here.
//
// Vocabulary:
//
//   - A frame is the bytes of one websocket frame. FrameText encodes an event once;
//     all connections that get the event share the bytes.
//   - A chunk is one or more whole frames in one slice.
//   - The outbox holds the chunks that are not written yet, bounded in bytes.
//   - A connection is slow while its socket's send buffer is full. Only then does
//     a goroutine write for it.
//   - An Ending says how a connection ended: who ended it, and with which code.
//
// Writing: Push puts a chunk into the outbox; Flush tries to empty the outbox with one
// non-blocking write on the caller's goroutine. The library's control frames go through
// the same outbox as whole frames, so none can land in the middle of another frame.
//
// Reading: a Handler receives the messages. While an open connection is idle, the poller
// waits for its descriptor, and the connection has no goroutine and no object of the
// library. The poller handles what it reads if it consists of whole frames, each a text
// message, a ping or a pong. Anything else (parts of a frame, fragments, a close, a
// protocol error) starts a goroutine that reads with the library until the connection
// is between two messages again, or has ended. Closing an idle connection also starts
// that goroutine, because it must wait for the client's answer.
//
//	none ───> idle <───> poller
//	  │      │    ^        │
//	  └──────┴─> alone <───┘ ──> ended
//
// The scanner checks the bytes before the library sees them, because the library answers
// some protocol errors without a close frame or not at all. The holdback passes control
// frames to the library only when they are complete, because the library waits five
// seconds for the rest of one.
//
// All methods may be called concurrently, except Tick, which belongs to the hub's sweep.
// No method blocks on the network. A connection ends within Options.CloseTimeout plus one
// second of its close.
package wsconn
