// Package abuse measures what an honest user waits beside somebody who stays within
// every documented limit and takes all that these allow: alone, beside the attack, and
// what the bounds cost when nobody attacks. `make abuse` runs it, and, with
// BEFORE=folder, in turns with programs of another version.
//
// Everything runs as processes beside a private RabbitMQ on the loopback interface,
// the attackers in this process: on a machine with two processors the honest user
// shares these with them, too. It fails where the honest user is refused; times are
// printed, not judged.
package abuse
