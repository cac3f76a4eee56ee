package environment

import (
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/settings"
)

// Connection returns the options with which a command connects to the broker. The command
// is part of the connection's name there.
func Connection(b settings.Broker, command string) rabbit.Options {
	return rabbit.Options{
		URL: b.AmqpURL.Reveal(), Name: b.Name + " " + command, Insecure: b.AmqpInsecure,
		CAFile: b.AmqpCAFile, CertFile: b.AmqpCertFile, KeyFile: b.AmqpKeyFile,
	}
}
