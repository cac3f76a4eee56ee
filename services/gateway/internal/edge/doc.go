// Package edge accepts clients: it turns an HTTP request into a connection, or
// refuses it with a reason.
//
// The checks are made in this order: path, method, is it a websocket handshake, host,
// origin, readiness, limits, token. Then a worker is asked while the handshake waits,
// and the limit per user is checked last. Cheap checks come first, and those that
// tell a stranger nothing about tokens. A refusal is an HTTP status with a JSON body
// {"error": "..."}. Only a refused token is reported on the websocket, because a
// browser's script cannot read an HTTP status.
//
// Vocabulary: a slot is the right to one of the limited connections. It is acquired
// during the handshake and released when the connection has ended.
//
// The query of a request is never logged: it may hold the token. All methods may be
// called concurrently.
package edge
