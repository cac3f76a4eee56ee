package wsconn

import (
	"encoding/binary"

	"belfry/pkg/protocol"
)

// First bytes of server frames: FIN and the opcode (RFC 6455 5.2).
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
	fin     = 0x80
)

// MaxHeader is the largest number of bytes that framing adds to a server's payload.
const MaxHeader = 10

// FrameText encodes payload as one server text frame.
func FrameText(payload []byte) []byte {
	return AppendText(make([]byte, 0, FrameSize(len(payload))), payload)
}

// FrameSize returns the size in bytes of a server frame with a payload of n bytes.
func FrameSize(n int) int {
	switch {
	case n < 126:
		return 2 + n
	case n < 1<<16:
		return 4 + n
	}
	return MaxHeader + n
}

// AppendText appends payload as one server text frame to dst.
func AppendText(dst, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, fin|opText, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, fin|opText, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, fin|opText, 127), uint64(n))
	}
	return append(dst, payload...)
}

// frameClose encodes a close frame. A reason that is too long is truncated. Code 1005
// (no status, RFC 6455 7.1.5) makes a frame without a payload.
func frameClose(code protocol.CloseCode, reason string) []byte {
	if code == statusNone {
		return []byte{fin | opClose, 0}
	}
	reason = reason[:min(len(reason), protocol.MaxCloseReason)]
	out := make([]byte, 0, 4+len(reason))
	out = append(out, fin|opClose, byte(2+len(reason)))
	out = binary.BigEndian.AppendUint16(out, uint16(code))
	return append(out, reason...)
}

// frameEnd returns the offset in chunk at which the frame that contains the offset at
// ends, or at itself if a frame ends there.
func frameEnd(chunk []byte, at int) int {
	end := 0
	for end < at {
		head := chunk[end:]
		switch size := int(head[1]); size {
		case 126:
			end += 4 + int(binary.BigEndian.Uint16(head[2:]))
		case 127:
			end += MaxHeader + int(binary.BigEndian.Uint64(head[2:]))
		default:
			end += 2 + size
		}
	}
	return end
}
