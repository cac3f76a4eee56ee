package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/protocol"
	"belfry/pkg/settings"
	"belfry/services/worker/auth"
)

func tokenCommand() *cli.Command {
	return &cli.Command{
		Name:  "token",
		Usage: "print a signed token for a user",
		Description: "The token is a JWT, signed (HS256) with the secret in BELFRY_JWT_SECRET_FILE, that a worker\n" +
			"with the same environment accepts. A user id of digits is a number; '\"7\"' is a string.\n\n" +
			"Example:\n  BELFRY_JWT_SECRET_FILE=secret belfry token --user 7 --groups 'job_events-*,jobs-summary' --ttl 1h",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "user", Usage: "the user's id", Required: true},
			&cli.StringSliceFlag{Name: "groups", Usage: "patterns for the token's groups claim, such as job_events-*"},
			&cli.StringFlag{Name: "session", Usage: "the login session that the token names, for belfry disconnect"},
			&cli.DurationFlag{Name: "ttl", Usage: "how long the token is valid", Value: time.Hour},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			if ttl := c.Duration("ttl"); ttl < time.Second {
				return usagef("--ttl is %v: it must be at least 1s", ttl)
			}
			user, err := userID(c.String("user"))
			if err != nil {
				return usageError{err}
			}
			var e environment.Token
			if err := settings.Load(&e); err != nil {
				return err
			}
			token, err := sign(ctx, e, user, saying{c.StringSlice("groups"), c.String("session"), c.Duration("ttl")})
			if err != nil {
				return err
			}
			return result(c, "%s\n", token)
		},
	}
}

// userID returns the id as JSON: a number if it is spelled as one, else a string.
func userID(text string) (json.RawMessage, error) {
	id := json.RawMessage(text)
	if _, err := protocol.ParseUser(id); err != nil {
		if id, err = json.Marshal(text); err != nil {
			return nil, fmt.Errorf("--user %q: %w", text, err)
		}
	}
	if _, err := protocol.ParseUser(id); err != nil {
		return nil, fmt.Errorf("--user %q: %w", text, err)
	}
	return id, nil
}

// saying is what a token contains besides its user.
type saying struct {
	groups  []string
	session string
	ttl     time.Duration
}

// sign makes a token, and checks it as a worker would.
func sign(ctx context.Context, e environment.Token, user json.RawMessage, o saying) (string, error) {
	keys, err := auth.LoadSecret(e.JwtSecretFile)
	if err != nil {
		return "", fmt.Errorf("BELFRY_JWT_SECRET_FILE: %w", err)
	}
	secret, err := os.ReadFile(e.JwtSecretFile)
	if err != nil {
		return "", fmt.Errorf("BELFRY_JWT_SECRET_FILE: %w", err)
	}
	now := time.Now()
	claims := jwt.MapClaims{"iat": now.Unix(), "exp": now.Add(o.ttl).Unix()}
	if err := o.put(claims, e, user); err != nil {
		return "", err
	}
	if e.JwtIssuer != "" {
		claims["iss"] = e.JwtIssuer
	}
	if e.JwtAudience != "" {
		claims["aud"] = e.JwtAudience
	}
	// The worker ignores the secret's final line break, too.
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(bytes.TrimRight(secret, "\r\n"))
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	worker, err := auth.NewJWT(auth.JWTOptions{
		Keys: keys, Issuer: e.JwtIssuer, Audience: e.JwtAudience,
		Claims: auth.ClaimNames{User: e.UserClaim, Groups: e.GroupsClaim, SID: e.SessionClaim},
	})
	if err != nil {
		return "", err
	}
	if _, err := worker.Authenticate(ctx, protocol.NewToken(text), ""); err != nil {
		return "", fmt.Errorf("a worker would refuse this token: %w", err)
	}
	return text, nil
}

// put adds the claims under the names that a worker with the same environment reads.
func (o saying) put(claims jwt.MapClaims, e environment.Token, user json.RawMessage) error {
	for _, c := range []struct {
		variable, name string
		value          any
		given          bool
	}{
		{"BELFRY_USER_CLAIM", e.UserClaim, user, true},
		{"BELFRY_SESSION_CLAIM", e.SessionClaim, o.session, o.session != ""},
		{"BELFRY_GROUPS_CLAIM", e.GroupsClaim, o.groups, len(o.groups) > 0},
	} {
		if !c.given {
			continue
		}
		if err := auth.PutClaim(claims, c.name, c.value); err != nil {
			return fmt.Errorf("%s is %q: %w", c.variable, c.name, err)
		}
	}
	return nil
}
