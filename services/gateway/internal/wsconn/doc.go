// Package wsconn is one websocket connection as the gateway wants it: cheap
// while idle, written to without waiting, and closed in bounded time. It is the
// only package that imports the websocket library, and the library keeps the
// handshake, the reading of messages and the answering of pings.
//
// Vocabulary:
//
//   - A frame is the bytes of one websocket frame. FrameText makes them once;
//     every connection that gets the event shares them.
//   - The outbox holds frames, bounded in bytes, that the socket has not taken.
//   - A connection is slow while its socket takes nothing more. Only then does
//     a goroutine write for it.
//   - An Ending is how a connection ended: who ended it, and with which code.
//
// Writing: Push puts bytes into the outbox, Flush tries to empty it with one
// write that does not block. Whoever flushes is the writer. The library's own
// control frames go through the same outbox, whole, so that none can land
// inside a frame of ours.
//
// Reading: one goroutine calls Read until it fails, then Finish; nobody else
// reads. The bytes are checked on their way to the library (scanner), because
// it closes without a close frame, or not at all, where the protocol is broken;
// and control frames reach it whole (keep), because it waits five seconds for one.
//
// All methods may be called concurrently, except Read and Finish, which belong
// to the reading goroutine, and Tick, which belongs to the sweep. None of them
// blocks on the network but Read and Finish; Finish ends within
// Options.CloseTimeout and a second.
package wsconn
