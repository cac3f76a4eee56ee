package shipped

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

// What no program says.
const (
	processes     = 2 // gateways, and workers, on one host
	apiPort       = "8050"
	workerAdmin   = "906" // and the worker's number
	brokerPort    = "5672"
	devBroker     = "5673" // beside a broker of the system
	devHTTP       = "8013" // Tower's
	devHTTPS      = "8043"
	loopback      = "127.0.0.1"
	network       = "172.30.51.0/24" // of the containers
	authorizePath = "/internal/authorize"
	apiHealth     = "/health"
	readyPath     = "/health/ready"
	user          = "belfry"
	binaries      = "/usr/bin/belfry-"
	settingsIn    = "/etc/belfry/"
	nginxFiles    = "tmp/nginx"
	certificate   = "certificate.pem"
	key           = "key.pem"
	retries       = "1000000" // supervisord has no "for ever"

	// apiStops bounds the example's own end: requests, jobs, the last events.
	apiStops = 8 * time.Second
	// margin is how much longer than a program's own grace period it is waited
	// for before it is killed.
	margin = 5 * time.Second
)

// The broker users of the programs.
const (
	gatewayUser = "belfry-gateway"
	workerUser  = "belfry-worker"
	backendUser = "belfry-backend"
)

// byDefault is the default of a field of the gateway's configuration.
func byDefault(field string) string {
	f, ok := reflect.TypeFor[gateway.Config]().FieldByName(field)
	if !ok {
		panic("the gateway's configuration has no field " + field) // a mistake in this package
	}
	return f.Tag.Get("default")
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

func gatewayPort() string { return portOf(byDefault("Listen")) }

func adminPort() string { return portOf(byDefault("AdminListen")) }

// numbered is the beginning of the ports of several processes, each of which
// adds its number: the first has the default.
func numbered(port string) string { return strings.TrimSuffix(port, "1") }

// ports are those of the processes on one host.
func ports(begin string) (out []string) {
	for i := range processes {
		out = append(out, begin+strconv.Itoa(i+1))
	}
	return out
}

// targets is a list of addresses as Prometheus takes them.
func targets(begin string) string {
	var out []string
	for _, p := range ports(begin) {
		out = append(out, strconv.Quote(loopback+":"+p))
	}
	return strings.Join(out, ", ")
}

// upstream is the lines of nginx's servers.
func upstream(begin string) string {
	var out strings.Builder
	for _, p := range ports(begin) {
		fmt.Fprintf(&out, "    server %s:%s max_fails=0;\n", loopback, p)
	}
	return out.String()
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// stops is how long each program is waited for.
func stops() map[string]string {
	return map[string]string{
		"gateway": seconds(gateway.Grace + margin), "worker": seconds(worker.Grace + margin), "api": seconds(apiStops + margin),
	}
}

// allStop is how long supervisord is waited for, which stops one program after
// the other, and then has half a minute for itself.
func allStop() string {
	return seconds(gateway.Grace + worker.Grace + apiStops + 3*margin + 30*time.Second)
}

// pings is the mean time between two pings.
func pings() time.Duration {
	d, err := time.ParseDuration(byDefault("PingInterval"))
	if err != nil {
		panic(fmt.Sprintf("the gateway's default ping interval: %v", err)) // a mistake in the gateway's struct
	}
	return d
}

// silence is how long a healthy connection may say nothing: two pings may be
// missed.
func silence() string { return seconds(3 * pings()) }

// descriptors is the limit on open files of a gateway: four for each connection
// that it takes by default.
func descriptors() string {
	n, err := strconv.Atoi(byDefault("MaxConnections"))
	if err != nil {
		panic(fmt.Sprintf("the gateway's default number of connections: %v", err)) // as above
	}
	return strconv.Itoa(4 * n)
}
