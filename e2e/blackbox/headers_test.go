package blackbox

import (
	"encoding/binary"
	"testing"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus/brokertest"
)

// foreignHeaders emits with header tables that the client library cannot read
// (docs/decisions/0011): each would end the worker's connection, and that of
// the next worker, for ever.
func foreignHeaders(t *testing.T, in *harness.Installation) {
	c := open(t, in, 0, harness.TokenAdmin)
	g := group()
	c.join(g)
	for name, table := range map[string][]byte{
		"an integer as Python's amqp writes it": {2, 'a', 't', 'L', 0, 0, 1, 0x93, 0x62, 0xd1, 0x5e, 0},
		"forty levels":                          levels(40),
		"ten thousand entries":                  entries(10_000),
	} {
		e := event()
		in.PublishRaw(t, brokertest.RawMessage{Key: g, ID: name, Table: table, Body: []byte(e)})
		c.expect(e)
	}
	e := event()
	in.Emit(t, g, e)
	c.expect(e)
}

// levels is a table in a table, so many times.
func levels(n int) []byte {
	var table []byte
	for range n {
		field := binary.BigEndian.AppendUint32([]byte{1, 'k', 'F'}, uint32(len(table)))
		table = append(field, table...)
	}
	return table
}

// entries are so many entries without a value.
func entries(n int) []byte {
	var table []byte
	for i := range n {
		table = append(table, 2, byte('a'+i%26), byte('a'+i/26%26), 'V')
	}
	return table
}
