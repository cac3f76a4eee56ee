package protocol

import "net/netip"

// ClientAddr is what one client has of the address space: an IPv4 address, or a /64 of
// IPv6. Limits and turns count by it.
func ClientAddr(address netip.Addr) netip.Addr {
	if address.Is6() {
		if p, err := address.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return address
}

// ClientOf is ClientAddr of an address in text, as Connect carries it, and empty if it
// is none: all of them count as one client.
func ClientOf(remote string) string {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		return ""
	}
	return ClientAddr(address.Unmap()).String()
}
