// Package disconnect passes an application's orders to end connections on to all
// gateways.
//
// Any backend with the permission publishes an order to the exchange
// belfry.disconnect. One worker consumes it and publishes it to belfry.reply.all:
// every gateway closes the connections that it is about, and every worker forgets
// what it has cached. The order is acked when every reply queue has accepted it. A
// gateway recognizes an order that comes again by its message id, which is the
// application's or, where that is missing, the worker's: so an order without an id may
// take effect twice after a worker's failure. No order is lost: a gateway whose
// reply queue has expired has closed all its connections before.
//
// An order that cannot be decoded is parked in belfry.dead with the reason.
package disconnect
