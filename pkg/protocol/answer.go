package protocol

import (
	"bytes"
	"encoding/json"
	"slices"
)

// The frames that a gateway sends to clients. Each function returns the JSON text of one
// frame, with the spacing that the client protocol's description shows.

// AcceptFrame is the first frame of an accepted connection. user is the user's
// id as JSON, exactly as the token carried it.
func AcceptFrame(user json.RawMessage) []byte {
	return fill(`{"accept": true, "user": `, user, `}`)
}

// RefusedFrame is the only frame of a connection whose token was refused.
func RefusedFrame() []byte { return []byte(`{"accept": false, "user": null}`) }

// GroupsFrame answers a valid client message once the new set of groups is active. It
// sorts the groups in the frame and leaves its arguments unchanged.
func GroupsFrame(current, left, joined []Group) []byte {
	var b bytes.Buffer
	b.WriteString(`{"groups_current": `)
	writeGroups(&b, current)
	b.WriteString(`, "groups_left": `)
	writeGroups(&b, left)
	b.WriteString(`, "groups_joined": `)
	writeGroups(&b, joined)
	b.WriteByte('}')
	return b.Bytes()
}

// DeniedFrame says that one group was denied, in Tower's words.
func DeniedFrame(g Group) []byte {
	return ErrorFrame("access denied to channel " + g.Name() + " for resource id " + g.Item())
}

// ErrorFrame says what is wrong with a client's message.
func ErrorFrame(text string) []byte {
	return fill(`{"error": `, quote(text), `}`)
}

// Unavailable is the error text for a set of groups that could not be made active in time.
const Unavailable = "subscriptions are unavailable, try again"

// GapFrame says that events of these groups may be missing. It sorts the groups in the
// frame and leaves its argument unchanged.
func GapFrame(groups []Group) []byte {
	var b bytes.Buffer
	b.WriteString(`{"gap": `)
	writeGroups(&b, groups)
	b.WriteByte('}')
	return b.Bytes()
}

func fill(before string, middle []byte, after string) []byte {
	out := make([]byte, 0, len(before)+len(middle)+len(after))
	out = append(out, before...)
	out = append(out, middle...)
	return append(out, after...)
}

func writeGroups(b *bytes.Buffer, groups []Group) {
	sorted := slices.Clone(groups)
	slices.Sort(sorted)
	b.WriteByte('[')
	for i, g := range sorted {
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(quote(string(g)))
	}
	b.WriteByte(']')
}

// quote encodes a JSON string without the HTML escapes of json.Marshal.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
