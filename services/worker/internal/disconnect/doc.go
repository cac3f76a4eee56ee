// Package disconnect passes the application's orders to end connections on to
// all gateways.
//
// An order comes from any backend through the exchange belfry.disconnect, whose
// permissions say who may give one. One worker takes it and publishes it to
// belfry.reply.all: every gateway closes the connections that it concerns, every
// worker forgets what it has cached. It is acked when every reply queue has
// taken it. A gateway that is sent it again knows it by its message id: the
// application's own, or the worker's, so one without an id may take effect twice
// after a worker's failure. None is lost: a gateway whose reply queue has
// expired has closed all its connections before.
//
// What cannot be understood is parked in belfry.dead with the reason.
package disconnect
