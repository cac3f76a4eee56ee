package wsconn

import (
	"encoding/binary"
	"time"

	"belfry/pkg/protocol"
)

// scanner checks a client's bytes against the protocol (RFC 6455 sections 5 and 7.4)
// before the library sees them. It keeps no payload. It is owned by the reading
// goroutine.
type scanner struct {
	step     step
	op       byte
	final    bool
	need     uint8  // bytes still missing in this step (extended length, mask)
	code     uint8  // of a close frame: payload bytes of the code seen so far
	control  uint8  // of a control frame: payload bytes seen so far
	size     uint64 // the announced length, then the payload bytes still to come
	mask     [4]byte
	status   uint16             // of a close frame: the code as far as it was read
	inside   bool               // between the fragments of a message
	message  uint64             // bytes of the message so far
	count    int                // control frames and empty fragments since window
	window   time.Duration      // start of the count, since began
	boundary bool               // a message ended, or a control frame outside of one, since the last look
	ended    bool               // a whole close frame was seen: what follows is not checked
	extended bool               // the length has 8 bytes
	broken   protocol.CloseCode // the code with which the next read closes the connection
}

// step is the part of a frame that comes next.
type step uint8

const (
	stepFirst step = iota
	stepLength
	stepExtended
	stepMask
	stepPayload
)

// floodWindow is the time over which control frames are counted.
const floodWindow = 10 * time.Second

// scan checks p. It returns how many bytes the library may get and, if the byte after
// them breaks the protocol, the close code for it, else 0.
func (s *scanner) scan(p []byte, o *Options) (good int, bad protocol.CloseCode) {
	for i := 0; i < len(p) && !s.ended; {
		if s.step == stepPayload {
			n := int(min(s.size, uint64(len(p)-i)))
			if bad := s.payload(p[i : i+n]); bad != 0 {
				return i, bad
			}
			i += n
			continue
		}
		if bad := s.header(p[i], o); bad != 0 {
			return i, bad
		}
		i++
	}
	return len(p), 0
}

// unfinished reports whether a message has begun and is not complete.
func (s *scanner) unfinished() bool {
	return !s.ended && (s.inside || s.step != stepFirst)
}

// begun returns how many of the last bytes belong to an incomplete control frame.
func (s *scanner) begun() int {
	if s.op < opClose {
		return 0
	}
	switch s.step {
	case stepLength:
		return 1
	case stepMask:
		return 2 + 4 - int(s.need) // its length is in the second byte (5.5)
	case stepPayload:
		return 2 + 4 + int(s.control)
	}
	return 0
}

func (s *scanner) header(b byte, o *Options) protocol.CloseCode {
	switch s.step {
	case stepFirst:
		return s.first(b)
	case stepLength:
		return s.length(b, o)
	case stepExtended:
		if s.need == 8 && b&0x80 != 0 {
			return protocol.CloseProtocol // the top bit must be 0 (5.2)
		}
		s.size = s.size<<8 | uint64(b)
		if s.need--; s.need == 0 {
			return s.sized(o)
		}
	case stepMask:
		s.mask[4-s.need] = b
		if s.need--; s.need == 0 {
			s.step = stepPayload
			if s.size == 0 {
				s.finished()
			}
		}
	}
	return 0
}

func (s *scanner) first(b byte) protocol.CloseCode {
	s.op, s.final = b&0x0f, b&fin != 0
	switch {
	case b&0x70 != 0: // reserved bits: no extension was negotiated
		return protocol.CloseProtocol
	case s.op > 2 && s.op < opClose, s.op > opPong: // reserved opcodes
		return protocol.CloseProtocol
	case s.op >= opClose && !s.final: // a fragmented control frame
		return protocol.CloseProtocol
	case s.op == 0 && !s.inside, (s.op == 1 || s.op == 2) && s.inside:
		return protocol.CloseProtocol
	case s.op == 2:
		return protocol.CloseBinary
	}
	s.step, s.size, s.code, s.control, s.status, s.extended = stepLength, 0, 0, 0, 0, false
	return 0
}

func (s *scanner) length(b byte, o *Options) protocol.CloseCode {
	if b&0x80 == 0 { // clients must mask (5.1)
		return protocol.CloseProtocol
	}
	s.size = uint64(b & 0x7f)
	if s.op >= opClose && (s.size > 125 || s.op == opClose && s.size == 1) {
		return protocol.CloseProtocol
	}
	if s.size < 126 {
		return s.sized(o)
	}
	s.step, s.need, s.extended = stepExtended, 2, s.size == 127
	if s.extended {
		s.need = 8
	}
	s.size = 0
	return 0
}

// sized checks a frame's length once it is known.
func (s *scanner) sized(o *Options) protocol.CloseCode {
	if s.step == stepExtended && (s.size < 126 || s.extended && s.size < 1<<16) {
		return protocol.CloseProtocol // not the shortest form (5.2)
	}
	s.step, s.need = stepMask, 4
	if s.op < opClose {
		if s.op != 0 {
			s.message = 0
		}
		if s.size > uint64(o.MaxMessage) || s.message+s.size > uint64(o.MaxMessage) {
			return protocol.CloseTooBig
		}
		s.message += s.size
	}
	if s.op >= opClose || s.size == 0 && (s.op == 0 || !s.final) {
		return s.counted(o)
	}
	return 0
}

// counted counts a frame without data and refuses it if there were too many.
func (s *scanner) counted(o *Options) protocol.CloseCode {
	if now := time.Since(began); now-s.window > floodWindow {
		s.window, s.count = now, 0
	}
	if s.count++; s.count > o.ControlFrames {
		return protocol.CloseRate
	}
	return 0
}

// payload handles masked payload bytes. From a close frame's it decodes the code.
func (s *scanner) payload(p []byte) protocol.CloseCode {
	if s.op == opClose {
		for i := 0; i < len(p) && s.code < 2; i++ {
			s.status = s.status<<8 | uint16(p[i]^s.mask[s.code])
			if s.code++; s.code == 2 && !validStatus(s.status) {
				return protocol.CloseProtocol
			}
		}
	}
	if s.op >= opClose {
		s.control += uint8(len(p)) // at most 125, as length has checked
	}
	if s.size -= uint64(len(p)); s.size == 0 {
		s.finished()
	}
	return 0
}

func (s *scanner) finished() {
	s.step = stepFirst
	switch {
	case s.op == opClose:
		s.ended = true
	case s.op < opClose:
		s.inside = !s.final
	}
	s.boundary = s.boundary || !s.inside
}

// statusNone stands for a close frame without a code (RFC 6455 7.1.5).
const statusNone protocol.CloseCode = 1005

// validStatus says which codes a client may send (RFC 6455 7.4, and the codes
// registered since: 1012 to 1014).
func validStatus(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// frameSize returns the size in bytes of the client's frame at the start of p. whole is
// false if p does not contain all of it.
func frameSize(p []byte) (size int, whole bool) {
	if len(p) < 2 {
		return 0, false
	}
	head, payload := 2+4, uint64(p[1]&0x7f) // with the mask's four bytes (RFC 6455 5.2)
	switch {
	case payload == 126 && len(p) >= 4:
		head, payload = head+2, uint64(binary.BigEndian.Uint16(p[2:]))
	case payload == 127 && len(p) >= 10:
		head, payload = head+8, binary.BigEndian.Uint64(p[2:])
	case payload >= 126:
		return 0, false
	}
	if uint64(len(p)) < uint64(head) || payload > uint64(len(p)-head) {
		return 0, false
	}
	return head + int(payload), true
}
