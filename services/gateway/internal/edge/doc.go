// Package edge is the gateway's public door: it turns an HTTP request into a
// connection, or into a clear refusal.
//
// The order of the checks is: path, method, a websocket handshake at all, host,
// origin, readiness, limits, token; then the worker is asked while the
// handshake waits, and last the user's limit. What is cheap comes first, and
// what tells a stranger nothing about tokens. A refusal is a status with a JSON
// body {"error": "..."}; only a refused token is told on the websocket itself,
// because a browser cannot read an HTTP status.
//
// Vocabulary: a slot is the right to one of the limited connections, taken
// during the handshake and given back when the connection has ended.
//
// A request's query is never logged: the token may be in it. All methods may be
// called concurrently.
package edge
