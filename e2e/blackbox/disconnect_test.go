package blackbox

import (
	"testing"

	"belfry/e2e/harness"
)

// disconnecting is the application's orders, close code 4403.
var disconnecting = []row{
	{name: "4403 a login session is ended, wherever it is connected", run: func(t *testing.T, in *harness.Installation) {
		phone, again := open(t, in, 0, harness.TokenPhone), open(t, in, 1, harness.TokenPhone)
		desk, other := open(t, in, 0, harness.TokenDesk), open(t, in, 1, harness.TokenNamed)
		g, e := group(), event()
		desk.join(g)
		other.join(g)
		in.Disconnect(t, `{"user": 9, "session": "phone"}`)
		phone.expectClose(4403)
		again.expectClose(4403)
		in.Emit(t, g, e)
		desk.expect(e)
		other.expect(e)
	}},
	{name: "4403 a user is disconnected whole", run: func(t *testing.T, in *harness.Installation) {
		phone, desk := open(t, in, 0, harness.TokenPhone), open(t, in, 1, harness.TokenDesk)
		other := open(t, in, 0, harness.TokenNamed)
		in.Disconnect(t, `{"user": 9}`)
		phone.expectClose(4403)
		desk.expectClose(4403)
		g, e := group(), event()
		other.join(g)
		in.Emit(t, g, e)
		other.expect(e)
		open(t, in, 0, harness.TokenDesk).join(g) // a good token comes in again
	}},
	{name: "an order that is none ends nobody, and the next is obeyed", amqp: true, run: func(t *testing.T, in *harness.Installation) {
		phone, desk := open(t, in, 0, harness.TokenPhone), open(t, in, 1, harness.TokenDesk)
		for _, order := range []string{``, `{}`, `{"user": "*"}`, `{"user": 9, "sesion": "desk"}`, `{"user": 9, "session": ""}`} {
			in.Disconnect(t, order)
		}
		in.Disconnect(t, `{"user": 9, "session": "desk"}`)
		desk.expectClose(4403)
		g := group()
		phone.join(g)
	}},
}
