package amqpbus

import "errors"

// Why a broker refuses a request. An error that wraps one of these also has the broker's own
// text and says what to do. Test for them with errors.Is.
var (
	// ErrCredentials: the user does not exist, or the password is wrong.
	ErrCredentials = errors.New("the broker refused user or password")
	// ErrVirtualHost: it does not exist, does not run, or the user has no access to it.
	ErrVirtualHost = errors.New("the broker does not let this user into the virtual host")
	// ErrLimit: a limit of the broker, a virtual host or a user is reached.
	ErrLimit = errors.New("a limit of the broker is reached")
	// ErrPermission: the user lacks a permission for this queue or exchange.
	ErrPermission = errors.New("the broker user lacks a permission")
	// ErrUserID: the broker's name for the user differs from the one in the address.
	ErrUserID = errors.New("the broker knows this connection's user by another name")
	// ErrArguments: a queue or exchange of this name exists with other arguments.
	ErrArguments = errors.New("it exists with other arguments")
	// ErrHomeNode: the queue exists, but its node of the cluster is down.
	ErrHomeNode = errors.New("the queue's node of the cluster is down")
)

// Standing reports whether an error is a refusal that lasts until an operator does something
// about it.
func Standing(err error) bool {
	for _, refusal := range []error{ErrCredentials, ErrVirtualHost, ErrLimit, ErrPermission, ErrUserID, ErrArguments, ErrLayout, ErrNoStreams} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
