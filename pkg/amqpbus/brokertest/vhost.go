package brokertest

import "belfry/pkg/protocol"

// Password is that of every user that a virtual host's AddUser makes: users belong
// to the whole node, and two tests may make the same one.
const Password = "secret"

// VHost is a virtual host of a node for one test: nothing of other tests is in
// it. Its methods may be called concurrently.
type VHost struct {
	Node *Node
	Name string
}

// NewVHost makes a virtual host with a name that nobody else has.
func (n *Node) NewVHost() (*VHost, error) {
	v := &VHost{Node: n, Name: "test-" + protocol.NewIncarnation()}
	return v, n.AddVHost(v.Name)
}

// URL is the virtual host's address for a user that AddUser made, or for guest.
func (v *VHost) URL(user string) string { return v.Node.url(user, v.Name) }

// AddUser makes a user with permissions in this virtual host, as RabbitMQ's
// regular expressions. Permissions of the same name elsewhere stay.
func (v *VHost) AddUser(name, configure, write, read string) error {
	if err := v.Node.SetUser(name, Password); err != nil {
		return err
	}
	return v.Node.Permit(v.Name, name, configure, write, read)
}

// AddUser makes a user of a test's own node with permissions in the virtual host /.
func (n *Node) AddUser(name, password, configure, write, read string) error {
	if err := n.SetUser(name, password); err != nil {
		return err
	}
	n.passwords.Store(name, password)
	return n.Permit("/", name, configure, write, read)
}

// Queues are the names of its queues.
func (v *VHost) Queues() ([]string, error) { return v.Node.Queues(v.Name) }

// Ctl runs a rabbitmqctl command that is about the virtual host. It boots an
// Erlang machine, which takes seconds: only for what the management API lacks.
func (v *VHost) Ctl(command string, args ...string) (string, error) {
	return v.Node.Ctl(append([]string{command, "-p", v.Name}, args...)...)
}
