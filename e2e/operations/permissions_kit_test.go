package operations

import (
	"encoding/json"
	"net/url"
	"testing"

	"belfry/e2e/harness"
)

// shippedPasswords lets programs take those of deploy/rabbitmq/definitions.json.
const shippedPasswords = "BELFRY_DEVELOPMENT=true"

// The broker users of deploy/rabbitmq/definitions.json.
const (
	gatewayUser = "belfry-gateway"
	workerUser  = "belfry-worker"
	backendUser = "belfry-backend"
)

// permission is one user's in one virtual host, as RabbitMQ's definitions spell it.
type permission struct {
	User      string `json:"user"`
	Vhost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// with gives the permission with one of its three patterns changed.
func (p permission) with(kind, pattern string) permission {
	switch kind {
	case "configure":
		p.Configure = pattern
	case "write":
		p.Write = pattern
	case "read":
		p.Read = pattern
	}
	return p
}

func (p permission) pattern(kind string) string {
	return map[string]string{"configure": p.Configure, "write": p.Write, "read": p.Read}[kind]
}

type definitions struct {
	Vhosts      []map[string]string `json:"vhosts"`
	Users       []map[string]any    `json:"users"`
	Permissions []permission        `json:"permissions"`
}

// shipped reads the definitions that are shipped.
func shipped(t *testing.T) (d definitions, of map[string]permission) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "deploy/rabbitmq/definitions.json")), &d); err != nil {
		t.Fatal(err)
	}
	of = map[string]permission{}
	for _, p := range d.Permissions {
		of[p.User] = p
	}
	return d, of
}

// node is a broker that has the shipped users.
type node struct {
	*harness.Broker
	host, vhost string
}

func newNode(t *testing.T) *node {
	t.Helper()
	b := harness.OwnBroker(t)
	u, err := url.Parse(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	return &node{Broker: b, host: u.Host, vhost: u.Path[1:]}
}

// passwords are those of the shipped definitions, for development.
var passwords = map[string]string{
	gatewayUser: "gateway-development", workerUser: "worker-development", backendUser: "backend-development",
}

// define makes the users, and gives permissions for any number of virtual hosts,
// which are made where they are missing. Each by itself: RabbitMQ's import of
// definitions has hung for minutes on a busy machine.
func (n *node) define(t *testing.T, permissions ...permission) {
	t.Helper()
	for user, password := range passwords {
		n.SetUser(t, user, password)
	}
	for _, p := range permissions {
		n.AddVHost(t, p.Vhost)
		n.PermitIn(t, p.Vhost, p.User, p.Configure, p.Write, p.Read)
	}
}

// url is a user's, with the password of the development installation.
func (n *node) url(user, vhost string) string {
	password := passwords[user]
	if user == "guest" {
		password = "guest"
	}
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: n.host, Path: "/" + vhost}
	return u.String()
}
