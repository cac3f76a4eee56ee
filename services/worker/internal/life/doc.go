// Package life publishes what happened to connections (opened, subscribed,
// closed) on belfry.events, for any service, from the reports of the gateways.
//
// A gateway has one batch of reports outstanding and repeats it until it is
// noted. So a batch is published in order, each report under its own message
// id, confirmed, and only then noted. Batches of one gateway are kept one at a
// time; a batch that this worker has noted already is noted again and not
// published again. After a failure in the middle the whole batch comes again,
// with the same message ids, here or at another worker: consumers of
// belfry.events recognise what they have by the message id.
//
// A report that the broker refuses, because some service's queue on
// belfry.events is full, is counted and passed over: the other services have
// it, and one that does not read must not hold up the rest.
package life
