package address

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// maxAddresses is the largest number of addresses in a list. Clusters have a few nodes.
const maxAddresses = 32

// between matches the separator of two addresses: a comma, or kombu's semicolon. A password
// may contain both, but is not followed by a scheme.
var between = regexp.MustCompile(`(?i)[,;]\s*amqps?://`)

// ParseList parses the addresses of a cluster's nodes: addresses separated by commas or
// semicolons, or one address with several hosts, separated by commas. All must have the same
// user and virtual host. A single address is a list of one. The error's text continues the
// name of a setting and says what to do.
func ParseList(text string) ([]Address, error) {
	if strings.HasSuffix(strings.TrimSpace(text), ",") || strings.HasSuffix(strings.TrimSpace(text), ";") {
		return nil, errors.New("ends in a separator: write another address behind it, or take it away")
	}
	var texts []string
	for _, one := range split(text) {
		texts = append(texts, hosts(one)...)
	}
	if len(texts) > maxAddresses {
		return nil, fmt.Errorf("has %d addresses: at most %d are taken", len(texts), maxAddresses)
	}
	var all []Address
	for i, one := range texts {
		a, err := Parse(one)
		if err != nil && len(texts) > 1 {
			err = fmt.Errorf("(address %d of %d) %w", i+1, len(texts), err)
		}
		if err != nil {
			return nil, err
		}
		if i > 0 && a.User != all[0].User {
			return nil, errors.New("has addresses of different users: write the same user into each")
		}
		if i > 0 && a.VHost != all[0].VHost {
			return nil, errors.New("has addresses of different virtual hosts: write the nodes of one cluster, with the same virtual host")
		}
		all = append(all, a)
	}
	return all, nil
}

// split splits a list into its addresses.
func split(text string) []string {
	var out []string
	for {
		at := between.FindStringIndex(text)
		if at == nil {
			return append(out, text)
		}
		out = append(out, strings.TrimRight(text[:at[0]], " "))
		text = strings.TrimLeft(text[at[0]+1:], " \t\r\n")
	}
}

// hosts returns an address for each host of an address.
func hosts(text string) []string {
	scheme, rest, found := strings.Cut(text, "://")
	authority, path, slash := strings.Cut(rest, "/")
	at := strings.LastIndex(authority, "@") + 1
	if !found || !strings.Contains(authority[at:], ",") {
		return []string{text}
	}
	var out []string
	for host := range strings.SplitSeq(authority[at:], ",") {
		one := scheme + "://" + authority[:at] + strings.TrimSpace(host)
		if slash {
			one += "/" + path
		}
		out = append(out, one)
	}
	return out
}

// Strings returns the addresses without their passwords, separated by commas.
func Strings(all []Address) string {
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return strings.Join(out, ",")
}
