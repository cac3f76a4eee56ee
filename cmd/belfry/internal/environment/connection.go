package environment

import (
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/settings"
)

// Connection is how a command reaches the broker; the broker's lists name it.
func Connection(b settings.Broker, command string) rabbit.Options {
	return rabbit.Options{
		URL: b.AmqpURL.Reveal(), Name: b.Name + " " + command, Insecure: b.AmqpInsecure,
		CAFile: b.AmqpCAFile, CertFile: b.AmqpCertFile, KeyFile: b.AmqpKeyFile,
	}
}
