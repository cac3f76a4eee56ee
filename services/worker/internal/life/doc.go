// Package life publishes what happened to connections (opened, subscribed, closed)
// on belfry.events, from the reports of the gateways, for any service to consume.
//
// A gateway has one batch of reports outstanding, and sends it again until a worker
// has noted it. A batch is published in order, each report under its own message id;
// when all are confirmed, the gateway is told (noted). Batches of one gateway are
// handled one at a time. A batch that this worker has noted before is noted again,
// but not published again. After a failure in the middle the whole batch comes again
// with the same message ids, here or at another worker; consumers of belfry.events
// recognize what they have by the message id.
//
// If the broker refuses a report, because some service's queue on belfry.events is
// full, the report is counted and skipped: the other services have it, and one
// service that does not consume must not hold up the rest.
package life
