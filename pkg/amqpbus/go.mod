module belfry/pkg/amqpbus

go 1.26

require belfry/pkg/protocol v0.0.0

require go.uber.org/goleak v1.3.0

replace belfry/pkg/protocol => ../protocol
