package bridge_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
)

// selfSigned is a certificate for 127.0.0.1 and who trusts it.
func selfSigned(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bridge"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// Check that the protocol runs over TLS, with small and large chunks, and that who
// speaks plain TCP to it is ended.
func TestTLS(t *testing.T) {
	server, client := selfSigned(t)
	modes(t, "identity", bridge.Config{TLS: server}, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		for i, values := range []int{5, 50000} {
			c, err := bridge.Dial(context.Background(), w.addr, bridge.ClientConfig{TLS: client})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			all.Go(func() {
				if err := talk(c, i, 20, values); err != nil {
					t.Errorf("%d values: %v", values, err)
				}
			})
		}
		all.Wait()
		plain := w.raw()
		_, _ = plain.Write(chunk(1, 2, 3, 4, 5))
		_, _ = io.ReadAll(plain)
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if log := w.log.String(); !strings.Contains(log, "handshake") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Check that a bridge that demands client certificates serves who shows one that it
// trusts, and nobody else.
func TestClientCertificates(t *testing.T) {
	server, trust := selfSigned(t)
	friend, friends := selfSigned(t)
	stranger, _ := selfSigned(t)
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, friends.RootCAs
	modes(t, "identity", bridge.Config{TLS: server}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name string
			show []tls.Certificate
			ok   bool
		}{{"trusted", friend.Certificates, true}, {"unknown", stranger.Certificates, false}, {"none", nil, false}} {
			client, err := bridge.Dial(context.Background(), w.addr, bridge.ClientConfig{
				TLS: &tls.Config{RootCAs: trust.RootCAs, Certificates: c.show},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := talk(client, 1, 20, 5); (err == nil) != c.ok {
				t.Errorf("certificate %s: %v", c.name, err)
			}
			client.Close()
		}
		if s := w.bridge.Stats(); s.Chunks != 20 {
			t.Errorf("%d chunks were taken, 20 came from the client with a certificate", s.Chunks)
		}
	})
}
