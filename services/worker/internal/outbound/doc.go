// Package outbound makes the HTTP clients with which a worker asks other
// servers: the issuer of tokens and the application.
//
// What these servers say decides who is let in, and what is sent to them may be
// a token or a secret. So a client follows no redirect (it could leave TLS and
// carry credentials along), addresses are https unless the operator says
// otherwise, and no answer is read beyond a bound.
//
// Everything here may be called concurrently. It starts no goroutine beyond
// those of net/http.
package outbound
