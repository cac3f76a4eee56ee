// Package permissions defines the RabbitMQ permissions that the broker user of each role
// needs, and prints them as commands or definitions.
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
		`^(amq\.default|belfry\.session|belfry\.log\.v2\..*|belfry\.disconnect\.in\.v1|belfry\.reply|belfry\.reply\.(?!all$).*)$`,
		`^(belfry\.session|belfry\.emit|belfry\.emit\.v2\.n[0-9]+|belfry\.disconnect|belfry\.reply|belfry\.reply\..*)$`},
	{"worker", `^belfry\..*`,
		`^(amq\.default|belfry\.session|belfry\.log\.v2\..*|belfry\.disconnect\.in\.v1|belfry\.emit\.v2\.n[0-9]+|belfry\.reply|belfry\.reply\..*|belfry\.events)$`,
		`^(belfry\.session|belfry\.log\.v2\..*|belfry\.lead\.v2\..*|belfry\.emit|belfry\.emit\.v2\.n[0-9]+|belfry\.disconnect|belfry\.disconnect\.in\.v1|belfry\.reply|belfry\.reply\..*)$`},
	{"backend", `^$`,
		`^belfry\.(emit(\.v2\.n[0-9]+)?|disconnect)$`,
		`^$`},
}

// least is the set of a gateway that declares only its own reply queue.
var least = Set{
	"gateway", `^belfry\.reply\.(?!all$).*`,
	`^(amq\.default|belfry\.session|belfry\.reply|belfry\.reply\.(?!all$).*)$`,
	`^(belfry\.reply|belfry\.reply\..*)$`,
}

// Least returns the permissions of a role that leaves all declarations to others that it can. It
// reports false if there is no such role.
func Least(role string) (Set, bool) {
	if role == least.Role {
		return least, true
	}
	return Of(role)
}

// Roles returns all roles.
func Roles() []string {
	var out []string
	for _, s := range sets {
		out = append(out, s.Role)
	}
	return out
}

// Of returns the permissions of a role. It reports false if there is no such role.
func Of(role string) (Set, bool) {
	for _, s := range sets {
		if s.Role == role {
			return s, true
		}
	}
	return Set{}, false
}

// Commands writes the shell commands that give a user these permissions. It does not write the
// one that makes the user: a line pasted after `add_user` would be read as the password.
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

// Definition returns the definition that gives a user these permissions.
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

// quote quotes text as one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
