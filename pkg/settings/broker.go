package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"belfry/pkg/amqpbus/address"
	"belfry/pkg/protocol"
	"belfry/pkg/wellknown"
)

// Broker has the settings of every program that connects to the broker. Gateway, worker and
// command line embed it.
type Broker struct {
	AmqpURL      Secret `split_words:"true" default:"amqp://guest:guest@127.0.0.1:5672/" desc:"the broker: amqp:// or amqps://, user, password, host, port and virtual host; special characters of the password percent-encoded; for a cluster several addresses, separated by commas, which are tried in turn"`
	AmqpInsecure bool   `split_words:"true" default:"false" desc:"allow amqp:// without TLS to a host that is not this one: the link carries clients' tokens"`
	AmqpCAFile   string `split_words:"true" desc:"PEM file with the authorities that may sign the broker's certificate; empty: the system's"`
	AmqpCertFile string `split_words:"true" desc:"PEM file with this program's certificate for the broker, together with BELFRY_AMQP_KEY_FILE"`
	AmqpKeyFile  string `split_words:"true" desc:"PEM file with the key of BELFRY_AMQP_CERT_FILE"`

	Name         string   `split_words:"true" desc:"this process's name in identities, logs and the broker's lists: letters, digits, dots, dashes, underscores; empty: the host's name"`
	Shards       int      `split_words:"true" default:"1" desc:"the number of parts of the emit queue, 1 to 256; the same for every program; belfry reshard changes it"`
	QueueType    string   `split_words:"true" default:"classic" desc:"the type of the queues: classic on one broker node, quorum on a cluster; the same for every program"`
	GatewayUsers []string `split_words:"true" desc:"broker users whose messages are taken as a gateway's, separated by commas; empty: one's own user"`
	WorkerUsers  []string `split_words:"true" desc:"broker users whose messages are taken as a worker's, separated by commas; empty: one's own user"`

	Declare bool `default:"true" desc:"gateways: declare all queues and exchanges, so that any program may be the first; false: workers do, and this gateway's broker user needs fewer permissions (belfry permissions --role gateway --least)"`

	Development bool `split_words:"true" default:"false" desc:"take the passwords and secrets that Belfry ships, which everybody knows: for development alone"`

	AdminAllowRemote bool `split_words:"true" default:"false" desc:"allow BELFRY_ADMIN_LISTEN to be reached from other hosts, as in a container; it has no authentication"`

	LogLevel  string `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat string `split_words:"true" default:"json" desc:"json, or console for people"`
}

// Layout is what an installation's processes must agree on. It converts to
// amqpbus.Layout, which this package does not import.
type Layout struct {
	Shards int
	Quorum bool
}

// Layout returns the layout. It is meaningful when Validate returned nil.
func (b Broker) Layout() Layout {
	return Layout{Shards: b.Shards, Quorum: b.QueueType == "quorum"}
}

// Endpoint returns AmqpURL without passwords, for logs and errors, or a placeholder if it cannot
// be parsed.
func (b Broker) Endpoint() string {
	all, err := address.ParseList(b.AmqpURL.Reveal())
	if err == nil {
		return address.Strings(all)
	}
	u, err := url.Parse(b.AmqpURL.Reveal())
	if err != nil || u.Host == "" || u.Scheme == "amqp" || u.Scheme == "amqps" {
		return redacted
	}
	return u.Scheme + "://" + u.Host
}

// Validate checks what can be checked without the broker.
func (b Broker) Validate() error { return b.Check("amqp", "amqps") }

// Check is Validate for a program that accepts the given schemes in BELFRY_AMQP_URL.
func (b Broker) Check(schemes ...string) error {
	return errors.Join(b.checkURL(schemes), b.checkFiles(), b.checkName(), b.checkLayout(), b.checkLog())
}

func (b Broker) checkURL(schemes []string) error {
	const name = "BELFRY_AMQP_URL"
	scheme, _, _ := strings.Cut(b.AmqpURL.Reveal(), "://")
	if scheme = strings.ToLower(scheme); scheme != "amqp" && scheme != "amqps" && slices.Contains(schemes, scheme) {
		return b.checkOther(name, scheme)
	}
	// Its errors do not quote the text, which contains the password.
	targets, err := address.ParseList(b.AmqpURL.Reveal())
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	for _, target := range targets {
		if wellknown.Secret(target.Password) && !b.Development {
			return Wrong(name, "has a password that everybody knows, because it is shipped with Belfry", wellknown.Fix)
		}
		if !target.TLS && !target.Loopback() && !b.AmqpInsecure {
			return Wrong(name, "leads to another host without TLS", "use amqps://, or set BELFRY_AMQP_INSECURE=true where the network is trusted")
		}
	}
	return nil
}

// checkOther checks an address that is not a broker's.
func (b Broker) checkOther(name, scheme string) error {
	// url.Parse's errors quote the text, which contains the secret.
	u, err := url.Parse(b.AmqpURL.Reveal())
	switch {
	case err != nil:
		return Wrong(name, "is not a URL", "write "+scheme+"://:secret@host:port, special characters of the secret percent-encoded")
	case u.Hostname() == "":
		return Wrong(name, "names no host", "write "+scheme+"://:secret@host:port")
	}
	return nil
}

func (b Broker) checkFiles() error {
	var problems []error
	for _, f := range []struct{ variable, path string }{
		{"BELFRY_AMQP_CA_FILE", b.AmqpCAFile}, {"BELFRY_AMQP_CERT_FILE", b.AmqpCertFile}, {"BELFRY_AMQP_KEY_FILE", b.AmqpKeyFile},
	} {
		problems = append(problems, CheckFile(f.variable, f.path))
	}
	if (b.AmqpCertFile == "") != (b.AmqpKeyFile == "") {
		problems = append(problems, Wrong("BELFRY_AMQP_CERT_FILE", "and BELFRY_AMQP_KEY_FILE belong together", "set both or neither"))
	}
	return errors.Join(problems...)
}

// CheckSecret is CheckFile for a file with a secret or tokens. It also refuses the well-known
// ones of development.
func (b Broker) CheckSecret(variable, path string) error {
	if err := CheckFile(variable, path); err != nil || path == "" || b.Development {
		return err
	}
	text, err := os.ReadFile(path) // the operator's own configuration names the path
	if err == nil && (wellknown.Secret(string(text)) || wellknown.Tokens(string(text))) {
		return Wrong(variable, "names a file with a secret that everybody knows, because it is shipped with Belfry", wellknown.Fix)
	}
	return nil // the program that reads the file reports the error
}

func (b Broker) checkName() error {
	if b.Name == "" {
		return nil
	}
	if err := protocol.CheckName(b.Name); err != nil {
		return Wrong("BELFRY_NAME", fmt.Sprintf("is %q", b.Name), err.Error())
	}
	return nil
}

func (b Broker) checkLayout() error {
	var problems []error
	if b.Shards < 1 || b.Shards > protocol.MaxShards {
		problems = append(problems, Wrong("BELFRY_SHARDS", fmt.Sprintf("is %d", b.Shards), fmt.Sprintf("set 1 to %d", protocol.MaxShards)))
	}
	return errors.Join(append(problems, oneOf("BELFRY_QUEUE_TYPE", b.QueueType, "classic", "quorum"))...)
}

func (b Broker) checkLog() error {
	return errors.Join(
		oneOf("BELFRY_LOG_LEVEL", b.LogLevel, "debug", "info", "warn", "error"),
		oneOf("BELFRY_LOG_FORMAT", b.LogFormat, "json", "console"))
}

func oneOf(variable, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return Wrong(variable, fmt.Sprintf("is %q", value), "set "+strings.Join(allowed, " or "))
}

// complete sets the process's name to the host's if it has none, and replaces characters that a
// name must not contain.
func (b *Broker) complete() {
	if b.Name != "" {
		return
	}
	b.Name = "belfry"
	host, err := os.Hostname()
	if err != nil {
		return
	}
	host = strings.Map(func(r rune) rune {
		if protocol.CheckName(string(r)) != nil {
			return '-'
		}
		return r
	}, host)
	if protocol.CheckName(host) == nil {
		b.Name = host
	}
}

// isLoopback reports whether a host is localhost or a loopback address.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
