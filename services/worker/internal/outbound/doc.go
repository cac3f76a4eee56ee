// Package outbound makes the HTTP clients with which a worker asks other
// servers: the issuer of tokens and the application.
//
// The answers of these servers decide who may connect, and requests to them may
// carry tokens and secrets. Therefore clients do not follow redirects, which could
// leave TLS and take credentials along, addresses are https unless the operator
// allows http, and answers are bounded in size.
//
// Everything here may be called concurrently. It starts no goroutine beyond
// those of net/http.
package outbound
