package command

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
)

// identity writes a self-signed certificate for 127.0.0.1 and its key to files.
func identity(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), name)
	for file, block := range map[string]*pem.Block{
		base + ".crt": {Type: "CERTIFICATE", Bytes: der}, base + ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return base + ".crt", base + ".key"
}

// Check that a bridge that other hosts reach starts if it knows its clients by
// certificates, serves who shows one, and refuses who shows none.
func TestBridgeKnowsItsClients(t *testing.T) {
	serverCert, serverKey := identity(t, "server")
	clientCert, clientKey := identity(t, "client")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := program(ctx, t, ringDir(t), "bridge", "--kernel", "identity", "--listen", "0.0.0.0:0",
		"--tls-cert", serverCert, "--tls-key", serverKey, "--tls-client-ca", clientCert)
	said := &listening{address: make(chan string, 1)}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := said.find(ctx, t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := loadAuthorities(serverCert)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		show []tls.Certificate
		ok   bool
	}{{"known", []tls.Certificate{pair}, true}, {"without certificate", nil, false}} {
		err := ask(ctx, "127.0.0.1:"+port, &tls.Config{RootCAs: trust, Certificates: c.show})
		if (err == nil) != c.ok {
			t.Errorf("client %s: %v", c.name, err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("bridge: %v\n%s", err, said.text.String())
	}
}

// ask plays one chunk.
func ask(ctx context.Context, address string, config *tls.Config) error {
	c, err := bridge.Dial(ctx, address, bridge.ClientConfig{TLS: config})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send([]float64{1, 2, 3, 4, 5}); err != nil {
		return err
	}
	if err := c.CloseSend(); err != nil {
		return err
	}
	_, err = c.Receive()
	return err
}
