// Package logline tests the whole line of the log with nothing around it: what is
// emitted with any AMQP client, the drivers of workers and gateways, and members that
// must have every event in order and once, without a gap, whatever breaks in between.
// Each scenario runs over the twin in virtual time and over a real RabbitMQ.
package logline
