// Package wellknown knows the passwords and secrets that Belfry ships: those of
// the development files and the placeholders of the samples. Everybody can read
// them, so a program takes them only where it is told that it runs for
// development. Its functions keep nothing and may be called concurrently.
package wellknown

import "strings"

// Variable says, set to true, that the installation is for development.
const Variable = "BELFRY_DEVELOPMENT"

// Fix is what to do about a secret that is known.
const Fix = "write one of your own, as with `openssl rand -hex 32`; for development alone " + Variable + "=true takes it"

// Secret reports that a password or secret is a shipped one, or a placeholder,
// however it is written: letters of either case, with or without dashes.
func Secret(text string) bool {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. \t\r\n", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
	switch plain {
	case "changeme", "changeit", "changethis", "replaceme":
		return true
	case "gatewaydevelopment", "workerdevelopment", "backenddevelopment": // deploy/rabbitmq/definitions.json
		return true
	}
	return strings.HasPrefix(plain, "fordevelopmentonly") // deploy/development/
}

// Tokens reports that a tokens file holds one that is shipped
// (configs/tokens.dev.json).
func Tokens(file string) bool { return strings.Contains(file, `"dev-token-of-`) }
