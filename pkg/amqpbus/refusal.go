package amqpbus

import "errors"

// Why a broker refuses what it is asked for. An error that is one of these quotes
// the broker's own words and says what to do. Test with errors.Is.
var (
	// ErrCredentials: the user is not known, or the password is another.
	ErrCredentials = errors.New("the broker refused user or password")
	// ErrVirtualHost: it does not exist, does not run, or the user may not enter.
	ErrVirtualHost = errors.New("the broker does not let this user into the virtual host")
	// ErrLimit: a limit of the broker, a virtual host or a user is reached.
	ErrLimit = errors.New("a limit of the broker is reached")
	// ErrPermission: the user may not do this with this queue or exchange.
	ErrPermission = errors.New("the broker user lacks a permission")
	// ErrUserID: the broker knows the user by another name than the address.
	ErrUserID = errors.New("the broker knows this connection's user by another name")
	// ErrArguments: a queue or exchange of this name exists with other arguments.
	ErrArguments = errors.New("it exists with other arguments")
	// ErrHomeNode: the queue is there, on a node of the cluster that is not.
	ErrHomeNode = errors.New("the queue's node of the cluster is down")
)

// Standing reports that an error is a refusal which stays until an operator does
// something.
func Standing(err error) bool {
	for _, refusal := range []error{ErrCredentials, ErrVirtualHost, ErrLimit, ErrPermission, ErrUserID, ErrArguments, ErrLayout, ErrNoStreams} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
