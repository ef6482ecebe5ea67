package bridge

import (
	"crypto/tls"
	"fmt"
	"net"
)

// CheckAddress refuses to listen on an address that other hosts reach, unless
// config makes every client prove who it is (tls.RequireAndVerifyClientCert) or
// insecure says that anybody may connect. The error wraps ErrAddress.
func CheckAddress(addr string, config *tls.Config, insecure bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if insecure || local(host) {
		return nil
	}
	if config == nil {
		return fmt.Errorf("listen on %q without TLS: listen on 127.0.0.1, configure TLS with client certificates, or allow it as insecure: %w", addr, ErrAddress)
	}
	if config.ClientAuth != tls.RequireAndVerifyClientCert {
		return fmt.Errorf("listen on %q where TLS lets any client in: demand client certificates, or allow it as insecure: %w", addr, ErrAddress)
	}
	return nil
}

// local reports whether only this host reaches an address.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
