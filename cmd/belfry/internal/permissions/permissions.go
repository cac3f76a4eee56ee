// Package permissions knows what a broker user of each role needs, and writes it
// as something that can be pasted.
//
// The patterns are RabbitMQ's, regular expressions over the names of queues and
// exchanges. deploy/rabbitmq/definitions.json has the same ones; tests compare
// the two and try them on a broker.
package permissions

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Set is what one role may do. Configure, Write and Read are RabbitMQ's three
// permissions.
type Set struct{ Role, Configure, Write, Read string }

var sets = []Set{
	{"gateway", `^belfry\..*`,
		`^(amq\.default|belfry\.session|belfry\.interest\.v1\.n[0-9]+|belfry\.shard\.v1\..*|belfry\.emit\.in\.v1|belfry\.disconnect\.in\.v1|belfry\.reply|belfry\.reply\.(?!all$).*)$`,
		`^(belfry\.session|belfry\.interest\.v1\.n[0-9]+|belfry\.shard\.v1\..*|belfry\.emit\.in\.v1|belfry\.emit|belfry\.emit\.v1\.n[0-9]+|belfry\.disconnect|belfry\.reply|belfry\.reply\..*)$`},
	{"worker", `^belfry\..*`,
		`^(amq\.default|belfry\.session|belfry\.interest\.v1\.n[0-9]+|belfry\.shard\.v1\..*|belfry\.emit\.in\.v1|belfry\.disconnect\.in\.v1|belfry\.emit\.v1\.n[0-9]+|belfry\.reply|belfry\.reply\..*|belfry\.events)$`,
		`^(belfry\.session|belfry\.interest\.v1\.n[0-9]+|belfry\.shard\.v1\..*|belfry\.emit\.in\.v1|belfry\.emit|belfry\.emit\.v1\.n[0-9]+|belfry\.disconnect|belfry\.disconnect\.in\.v1|belfry\.reply|belfry\.reply\..*|belfry\.expired)$`},
	{"backend", `^$`,
		`^belfry\.(emit(\.v1\.n[0-9]+)?|disconnect)$`,
		`^$`},
}

// least is a gateway's that declares nothing but its own reply queue.
var least = Set{
	"gateway", `^belfry\.reply\.(?!all$).*`,
	`^(amq\.default|belfry\.session|belfry\.interest\.v1\.n[0-9]+|belfry\.reply|belfry\.reply\.(?!all$).*)$`,
	`^(belfry\.reply|belfry\.reply\..*)$`,
}

// Least is the set of a role that leaves to others what it can leave to them; false
// when there is no such role.
func Least(role string) (Set, bool) {
	if role == least.Role {
		return least, true
	}
	return Of(role)
}

// Roles are all of them.
func Roles() []string {
	var out []string
	for _, s := range sets {
		out = append(out, s.Role)
	}
	return out
}

// Of is the set of a role; false when there is no such role.
func Of(role string) (Set, bool) {
	for _, s := range sets {
		if s.Role == role {
			return s, true
		}
	}
	return Set{}, false
}

// Commands writes the lines for a shell that give a user the set. The user is to
// be made first: a pasted line behind `add_user` would be read as its password.
func (s Set) Commands(out io.Writer, user, vhost string) error {
	_, err := fmt.Fprintf(out, "# %s. Make the user first, which asks for its password: rabbitmqctl add_user %s\nrabbitmqctl set_permissions -p %s %s \\\n  %s \\\n  %s \\\n  %s\n",
		s.Role, quote(user), quote(vhost), quote(user), quote(s.Configure), quote(s.Write), quote(s.Read))
	return err
}

// Definition is an entry of RabbitMQ's definitions, as rabbitmqctl
// import_definitions reads them.
type Definition struct {
	User      string `json:"user"`
	VHost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// Definition is the set of a user.
func (s Set) Definition(user, vhost string) Definition {
	return Definition{User: user, VHost: vhost, Configure: s.Configure, Write: s.Write, Read: s.Read}
}

// Definitions writes a file of definitions.
func Definitions(out io.Writer, all []Definition) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{"permissions": all})
}

// quote makes one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
