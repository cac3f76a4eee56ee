package app

import (
	"bytes"
	"fmt"
	"os"

	"go.uber.org/zap"

	"belfry/pkg/settings"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
)

// holdings are the resources of a part of the worker. Both functions may be nil.
type holdings struct {
	release func() // frees the resources when the worker stops
	forget  func() // drops cached answers of other servers
}

// authenticator makes the configured authenticator.
func authenticator(c Config, metrics *auth.Metrics, logger *zap.Logger) (a auth.Authenticator, has holdings, err error) {
	claims := auth.ClaimNames{User: c.UserClaim, Groups: c.GroupsClaim, SID: c.SessionClaim}
	signed := func(keys auth.KeySource) (auth.Authenticator, error) {
		return auth.NewJWT(auth.JWTOptions{
			Keys: keys, Issuer: c.JwtIssuer, Audience: c.JwtAudience, Leeway: c.JwtLeeway, Claims: claims,
			Logger: logger, Metrics: metrics,
		})
	}
	switch {
	case c.TokensFile != "":
		a, err = auth.LoadStatic(c.TokensFile)
		return a, has, named("BELFRY_TOKENS_FILE", err)
	case c.JwtSecretFile != "":
		keys, err := auth.LoadSecret(c.JwtSecretFile)
		if err != nil {
			return nil, has, named("BELFRY_JWT_SECRET_FILE", err)
		}
		a, err = signed(keys)
		return a, has, err
	case c.JwtKeyFile != "":
		keys, err := auth.LoadKeys(c.JwtKeyFile, logger)
		if err != nil {
			return nil, has, named("BELFRY_JWT_KEY_FILE", err)
		}
		a, err = signed(keys)
		return a, has, err
	case c.JwtKeysURL != "":
		keys, err := auth.NewRemoteKeys(auth.RemoteOptions{
			URL: c.JwtKeysURL, Insecure: c.JwtKeysInsecure, CAFile: c.JwtKeysCAFile, Logger: logger, Metrics: metrics,
		})
		if err != nil {
			return nil, has, named("BELFRY_JWT_KEYS_URL", err)
		}
		a, err = signed(keys)
		return a, holdings{release: keys.Close}, err
	case c.IntrospectionURL != "":
		return introspection(c, claims, metrics, logger)
	}
	return nil, has, c.checkMethod()
}

func introspection(c Config, claims auth.ClaimNames, metrics *auth.Metrics, logger *zap.Logger) (auth.Authenticator, holdings, error) {
	secret, err := secretOf("BELFRY_INTROSPECTION_SECRET_FILE", c.IntrospectionSecretFile)
	if err != nil {
		return nil, holdings{}, err
	}
	i, err := auth.NewIntrospection(auth.IntrospectionOptions{
		URL: c.IntrospectionURL, Insecure: c.IntrospectionInsecure, CAFile: c.IntrospectionCAFile,
		ClientID: c.IntrospectionClient, ClientSecret: secret,
		Leeway: c.JwtLeeway, Cache: c.IntrospectionCache, Parallel: c.IntrospectionParallel, Claims: claims, Logger: logger, Metrics: metrics,
	})
	if err != nil {
		return nil, holdings{}, named("BELFRY_INTROSPECTION_URL", err)
	}
	return i, holdings{release: i.Close, forget: i.Forget}, nil
}

// authorizer makes the authorizer from the policy and, if the policy needs it, the application.
func authorizer(c Config, metrics *access.Metrics, logger *zap.Logger) (a *access.Authorizer, has holdings, err error) {
	policy, err := access.LoadPolicy(c.PolicyFile)
	if err != nil {
		return nil, has, named("BELFRY_POLICY_FILE", err)
	}
	if c.AuthorizeURL == "" {
		a, err = access.NewAuthorizer(policy, nil)
		if err != nil {
			return nil, has, settings.Wrong("BELFRY_AUTHORIZE_URL", "is empty", err.Error())
		}
		return a, has, nil
	}
	secret, err := secretOf("BELFRY_AUTHORIZE_SECRET_FILE", c.AuthorizeSecretFile)
	if err != nil {
		return nil, has, err
	}
	application, err := access.NewApplication(access.ApplicationOptions{
		URL: c.AuthorizeURL, Secret: secret, CAFile: c.AuthorizeCAFile, Timeout: c.AuthorizeTimeout,
		Parallel: c.AuthorizeParallel, Cache: c.AuthorizeCache, Logger: logger, Metrics: metrics,
	})
	if err != nil {
		return nil, has, named("BELFRY_AUTHORIZE_CA_FILE", err)
	}
	a, err = access.NewAuthorizer(policy, application)
	return a, holdings{release: application.Close, forget: application.Forget}, named("BELFRY_POLICY_FILE", err)
}

// secretOf reads a secret from a file, without the line break at its end.
func secretOf(variable, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path) // the operator's own configuration names the path
	if err != nil {
		return "", named(variable, err)
	}
	text = bytes.TrimRight(text, "\r\n")
	if len(text) == 0 {
		return "", settings.Wrong(variable, "names an empty file", "write the secret into it")
	}
	return string(text), nil
}

func named(variable string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", variable, err)
}
