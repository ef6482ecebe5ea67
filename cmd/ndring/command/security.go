package command

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/urfave/cli/v2"
)

func securityFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tls-cert", Usage: "certificate chain, PEM"},
		&cli.StringFlag{Name: "tls-key", Usage: "private key, PEM"},
		&cli.StringFlag{Name: "tls-client-ca", Usage: "authorities that sign clients' certificates, PEM; who shows none is refused"},
		&cli.BoolFlag{Name: "insecure", Usage: "let anybody in at an address that other hosts reach"},
	}
}

// security refuses to serve other hosts in the open unless that is meant.
func security(c *cli.Context, cfg *bridge.Config) error {
	cert, key, authorities := c.String("tls-cert"), c.String("tls-key"), c.String("tls-client-ca")
	switch {
	case (cert == "") != (key == ""):
		return usagef("--tls-cert and --tls-key belong together")
	case authorities != "" && cert == "":
		return usagef("--tls-client-ca needs --tls-cert and --tls-key")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("load TLS certificate: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	}
	if authorities != "" {
		pool, err := loadAuthorities(authorities)
		if err != nil {
			return err
		}
		cfg.TLS.ClientAuth, cfg.TLS.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	err := bridge.CheckAddress(c.String("listen"), cfg.TLS, c.Bool("insecure"))
	switch {
	case errors.Is(err, bridge.ErrAddress):
		return usagef("%w; the flags are --tls-cert, --tls-key and --tls-client-ca, or --insecure", err)
	case err != nil:
		return usagef("%w; give host and port, as in --listen 127.0.0.1:5000", err)
	}
	return nil
}

func loadAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load client authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("load client authorities: %q holds no certificate in PEM", file)
	}
	return pool, nil
}
