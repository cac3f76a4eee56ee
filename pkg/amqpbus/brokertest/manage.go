package brokertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// manageWithin bounds one request to the management API.
const manageWithin = 2 * time.Minute // a busy machine takes long; what hangs ends all the same

// managementConf opens the management API. Its statistics are switched off: they
// cost CPU for every queue, and what tests ask for is exact without them.
const managementConf = `management.tcp.ip = 127.0.0.1
management.tcp.port = %d
management_agent.disable_metrics_collector = true
`

// manager keeps no connections: a test binary that looks for leaked goroutines
// must not find them.
var manager = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: manageWithin}

// manage sends one request to the node's management API: send, when it is not
// nil, as JSON; the answer's JSON goes into receive, when that is not nil. The
// segments of the path are escaped here. It takes milliseconds, where
// rabbitmqctl boots a virtual machine.
func (n *Node) manage(method string, path []string, send, receive any) error {
	ctx, cancel := context.WithTimeout(context.Background(), manageWithin)
	defer cancel()
	return n.manageUntil(ctx, method, path, send, receive)
}

// manageUntil is manage, bounded by ctx.
func (n *Node) manageUntil(ctx context.Context, method string, path []string, send, receive any) error {
	address := (&url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(n.managePort)}).JoinPath("api")
	for _, segment := range path {
		address = address.JoinPath(url.PathEscape(segment))
	}
	// Without statistics queues are only listed when they are not asked for.
	address.RawQuery = "disable_stats=true&enable_queue_totals=true"
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return fmt.Errorf("encode for the management API: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return fmt.Errorf("ask the management API: %w", err)
	}
	request.SetBasicAuth("guest", "guest")
	request.Header.Set("Content-Type", "application/json")
	response, err := manager.Do(request)
	if err != nil {
		return fmt.Errorf("ask the management API: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the management API's answer: %w", err)
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("management API: %s %s: HTTP %d: %s", method, address.Path, response.StatusCode, answer)
	}
	if receive == nil {
		return nil
	}
	if err := json.Unmarshal(answer, receive); err != nil {
		return fmt.Errorf("decode the management API's answer: %w", err)
	}
	return nil
}

// manages reports whether the management API answers within a time, and is this
// node's.
func (n *Node) manages(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var overview struct {
		Node string `json:"node"`
	}
	return n.manageUntil(ctx, http.MethodGet, []string{"overview"}, nil, &overview) == nil && overview.Node == n.name
}

// AddVHost makes a virtual host in which guest may do everything.
func (n *Node) AddVHost(vhost string) error {
	if err := n.manage(http.MethodPut, []string{"vhosts", vhost}, map[string]any{}, nil); err != nil {
		return err
	}
	return n.Permit(vhost, "guest", ".*", ".*", ".*")
}

// VHosts are the names of all virtual hosts.
func (n *Node) VHosts() ([]string, error) {
	var vhosts []struct {
		Name string `json:"name"`
	}
	if err := n.manage(http.MethodGet, []string{"vhosts"}, nil, &vhosts); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(vhosts))
	for _, v := range vhosts {
		names = append(names, v.Name)
	}
	return names, nil
}

// DeleteVHost removes a virtual host with all that is in it and closes its
// connections.
func (n *Node) DeleteVHost(vhost string) error {
	return n.manage(http.MethodDelete, []string{"vhosts", vhost}, nil, nil)
}

// SetUser makes a user of the whole node, or gives an existing one another
// password. The user may nothing until Permit says what.
func (n *Node) SetUser(name, password string) error {
	path, user := []string{"users", name}, map[string]string{"password": password, "tags": ""}
	err := n.manage(http.MethodPut, path, user, nil)
	if err != nil && strings.Contains(err.Error(), "user_already_exists") {
		// Another test made it between the API's look and its write. Now it is there.
		err = n.manage(http.MethodPut, path, user, nil)
	}
	return err
}

// Permit gives a user permissions in a virtual host, as RabbitMQ's regular
// expressions.
func (n *Node) Permit(vhost, user, configure, write, read string) error {
	return n.manage(http.MethodPut, []string{"permissions", vhost, user},
		map[string]string{"configure": configure, "write": write, "read": read}, nil)
}

// Forbid takes all permissions in a virtual host from a user.
func (n *Node) Forbid(vhost, user string) error {
	return n.manage(http.MethodDelete, []string{"permissions", vhost, user}, nil, nil)
}

// Queues are the names of a virtual host's queues.
func (n *Node) Queues(vhost string) ([]string, error) {
	var queues []struct {
		Name string `json:"name"`
	}
	if err := n.manage(http.MethodGet, []string{"queues", vhost}, nil, &queues); err != nil {
		return nil, err
	}
	var names []string
	for _, q := range queues {
		names = append(names, q.Name)
	}
	return names, nil
}

// Bindings is how many bindings a virtual host has.
func (n *Node) Bindings(vhost string) (int, error) {
	var bindings []struct{}
	err := n.manage(http.MethodGet, []string{"bindings", vhost}, nil, &bindings)
	return len(bindings), err
}

// Unbind removes all of a virtual host's bindings but those that every queue has by
// itself, and returns how many there were.
func (n *Node) Unbind(vhost string) (int, error) {
	var bindings []struct {
		Source      string `json:"source"`
		Destination string `json:"destination"`
		Kind        string `json:"destination_type"`
		Key         string `json:"properties_key"`
	}
	if err := n.manage(http.MethodGet, []string{"bindings", vhost}, nil, &bindings); err != nil {
		return 0, err
	}
	removed := 0
	for _, b := range bindings {
		if b.Source == "" {
			continue
		}
		path := []string{"bindings", vhost, "e", b.Source, b.Kind[:1], b.Destination, b.Key}
		if err := n.manage(http.MethodDelete, path, nil, nil); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// DeleteExchange deletes an exchange with its bindings.
func (n *Node) DeleteExchange(vhost, exchange string) error {
	return n.manage(http.MethodDelete, []string{"exchanges", vhost, exchange}, nil, nil)
}

// DeleteQueue deletes a queue with what is in it, in use or not.
func (n *Node) DeleteQueue(vhost, queue string) error {
	return n.manage(http.MethodDelete, []string{"queues", vhost, queue}, nil, nil)
}

// SetPolicy gives queues whose name matches a pattern a definition, such as
// max-length; DeletePolicy takes it back.
func (n *Node) SetPolicy(vhost, name, pattern string, definition map[string]any) error {
	return n.manage(http.MethodPut, []string{"policies", vhost, name},
		map[string]any{"pattern": pattern, "apply-to": "queues", "definition": definition}, nil)
}

// DeletePolicy undoes SetPolicy.
func (n *Node) DeletePolicy(vhost, name string) error {
	return n.manage(http.MethodDelete, []string{"policies", vhost, name}, nil, nil)
}

// LimitVHost sets one of a virtual host's limits, such as max-queues.
func (n *Node) LimitVHost(vhost, limit string, value int) error {
	return n.manage(http.MethodPut, []string{"vhost-limits", vhost, limit}, map[string]int{"value": value}, nil)
}

// UnlimitVHost undoes LimitVHost.
func (n *Node) UnlimitVHost(vhost, limit string) error {
	return n.manage(http.MethodDelete, []string{"vhost-limits", vhost, limit}, nil, nil)
}

// LimitUser sets one of a user's limits, such as max-connections.
func (n *Node) LimitUser(user, limit string, value int) error {
	return n.manage(http.MethodPut, []string{"user-limits", user, limit}, map[string]int{"value": value}, nil)
}

// UnlimitUser undoes LimitUser.
func (n *Node) UnlimitUser(user, limit string) error {
	return n.manage(http.MethodDelete, []string{"user-limits", user, limit}, nil, nil)
}
