package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

// Config is the gateway's configuration, from BELFRY_ variables.
type Config struct {
	settings.Broker
	settings.Trace

	Listen      string `split_words:"true" default:":8051" desc:"address of the public websocket listener"`
	AdminListen string `split_words:"true" default:"127.0.0.1:9051" desc:"address of /health/live, /health/ready and /metrics; loopback only, unless BELFRY_ADMIN_ALLOW_REMOTE"`

	AllowedOrigins []string `split_words:"true" desc:"web origins that may connect, separated by commas: https://tower.example.com, https://*.example.com (all names below), http://localhost:* (every port), null or file:// (shells of desktop and mobile programs); * alone allows all; empty: the page's host and port must be the websocket's"`
	AllowedHosts   []string `split_words:"true" desc:"values of the Host header that are served, separated by commas; empty: all"`
	TokenCookies   []string `split_words:"true" default:"token" desc:"names of the cookies that may hold the token, separated by commas; the first one that is there and readable counts, and only where the token is in no other place; empty: no cookie is looked at"`
	TrustedProxies []string `split_words:"true" desc:"addresses or networks (10.0.0.0/8) of proxies whose X-Forwarded-For, or where there is none Forwarded (RFC 7239), is believed, separated by commas"`

	MaxConnections  int     `split_words:"true" default:"50000" desc:"connections of this process; more get 503"`
	MaxPerUser      int     `split_words:"true" default:"200" desc:"connections of one user here; more get 429"`
	MaxPerAddress   int     `split_words:"true" default:"5000" desc:"connections of one address here; more get 429"`
	HandshakeRate   float64 `split_words:"true" default:"2000" desc:"handshakes a second, in bursts of twice as many; more get 503"`
	MessageRate     float64 `split_words:"true" default:"10" desc:"messages a second that a client may send in the long run, in bursts of five times as many; more is closed with 4429"`
	GroupRate       float64 `split_words:"true" default:"2000" desc:"groups a second that all connections of a user here may join or leave in the long run, in bursts of ten times as many; more wait, and others do not"`
	MaxMessageBytes int     `split_words:"true" default:"65536" desc:"bytes of one client message; more is closed with 1009"`
	MaxGroups       int     `split_words:"true" default:"1000" desc:"groups of one connection"`
	OutboxBytes     int     `split_words:"true" default:"1572864" desc:"bytes that wait for a slow client; more is closed with 4408. The largest event, 1 MiB, and others behind it must fit"`

	PingInterval time.Duration `split_words:"true" default:"25s" desc:"mean time between pings; a proxy in front must allow more than twice as much silence"`
	Linger       time.Duration `split_words:"true" default:"10s" desc:"how long a group stays routed here after its last member left"`
	DrainNotice  time.Duration `split_words:"true" default:"2s" desc:"from not ready to the first close when stopping, so that a balancer notices, 20s for many clouds'; at most 1m"`
	DrainPeriod  time.Duration `split_words:"true" default:"10s" desc:"over how long the connections are closed when stopping; at most 1m"`
}

// besideDrain is how long a stop may take in addition to its two periods.
const besideDrain = 13 * time.Second

// Grace is the longest time from SIGTERM to the end of the process, with the longest periods
// that can be set. A process manager must wait longer before it kills a gateway.
const Grace = maxDrainNotice + maxDrainPeriod + besideDrain

// Grace is the same with the periods that are set: 25 s by default.
func (c Config) Grace() time.Duration { return c.DrainNotice + c.DrainPeriod + besideDrain }

// leastOutbox leaves room for answers, pings and small events behind the largest event, so that
// a healthy client on a slow network is not closed because of them.
const leastOutbox = protocol.MaxPayload + 64<<10

// The longest periods of a stop, within Grace.
const (
	maxDrainNotice = time.Minute
	maxDrainPeriod = time.Minute
)

// Validate checks everything that can be checked without other systems. Each error names its
// variable and says what to do.
func (c Config) Validate() error {
	problems := []error{c.Broker.Validate(), c.CheckTrace(), checkListen("BELFRY_LISTEN", c.Listen), checkListen("BELFRY_ADMIN_LISTEN", c.AdminListen)}
	for variable, n := range map[string]float64{
		"BELFRY_MAX_CONNECTIONS": float64(c.MaxConnections), "BELFRY_MAX_PER_USER": float64(c.MaxPerUser),
		"BELFRY_MAX_PER_ADDRESS": float64(c.MaxPerAddress), "BELFRY_HANDSHAKE_RATE": c.HandshakeRate,
		"BELFRY_MESSAGE_RATE": c.MessageRate, "BELFRY_GROUP_RATE": c.GroupRate, "BELFRY_MAX_GROUPS": float64(c.MaxGroups),
	} {
		if n < 1 {
			problems = append(problems, settings.Wrong(variable, fmt.Sprintf("is %v", n), "set at least 1"))
		}
	}
	if c.MaxMessageBytes < 125 {
		problems = append(problems, settings.Wrong("BELFRY_MAX_MESSAGE_BYTES", fmt.Sprintf("is %d", c.MaxMessageBytes), "set at least 125"))
	}
	if c.OutboxBytes < leastOutbox {
		problems = append(problems, settings.Wrong("BELFRY_OUTBOX_BYTES", fmt.Sprintf("is %d", c.OutboxBytes),
			fmt.Sprintf("set at least %d: the largest event and a little behind it", leastOutbox)))
	}
	problems = append(problems,
		within("BELFRY_PING_INTERVAL", c.PingInterval, time.Second, 10*time.Minute),
		within("BELFRY_LINGER", c.Linger, time.Millisecond, time.Hour),
		within("BELFRY_DRAIN_NOTICE", c.DrainNotice, 0, maxDrainNotice),
		within("BELFRY_DRAIN_PERIOD", c.DrainPeriod, 0, maxDrainPeriod))
	for _, name := range c.TokenCookies {
		if strings.ContainsAny(name, " \t=;\"\\") { // RFC 6265 4.1.1; a list has no comma left
			problems = append(problems, settings.Wrong("BELFRY_TOKEN_COOKIES", fmt.Sprintf("has %q", name), "set the names of cookies, such as token or awx_sessionid"))
		}
	}
	_, err := c.proxies()
	return errors.Join(append(problems, err)...)
}

func within(variable string, d, least, most time.Duration) error {
	if d < least || d > most {
		return settings.Wrong(variable, fmt.Sprintf("is %v", d), fmt.Sprintf("set %v to %v", least, most))
	}
	return nil
}

func checkListen(variable, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return settings.Wrong(variable, fmt.Sprintf("is %q", address), "set host:port, or :port for all interfaces")
	}
	return nil
}

// proxies returns the trusted networks. A single address is a network of one.
func (c Config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.TrustedProxies {
		if !strings.Contains(text, "/") {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, settings.Wrong("BELFRY_TRUSTED_PROXIES", fmt.Sprintf("has %q", text), "write addresses such as 10.1.2.3 or networks such as 10.0.0.0/8")
			}
			out = append(out, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, settings.Wrong("BELFRY_TRUSTED_PROXIES", fmt.Sprintf("has %q", text), "write addresses such as 10.1.2.3 or networks such as 10.0.0.0/8")
		}
		if addr := p.Addr(); addr.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(addr.Unmap(), p.Bits()-96) // as addresses are compared
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
