module belfry/pkg/protocol

go 1.26
