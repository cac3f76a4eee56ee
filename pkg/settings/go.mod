module belfry/pkg/settings

go 1.26

require belfry/pkg/protocol v0.0.0

require github.com/kelseyhightower/envconfig v1.4.0

replace belfry/pkg/protocol => ../../pkg/protocol
