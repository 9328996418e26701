// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// authority signs the certificates of one run.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	dir  string
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// issue writes NAME.crt and NAME.key. Without a parent it signs itself.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	parent, signer := template, crypto.Signer(key)
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	if err := writePEM(a.dir+"/"+name+".crt", "CERTIFICATE", der); err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := writePEM(a.dir+"/"+name+".key", "PRIVATE KEY", keyDER); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// writeKeys writes every key and certificate the control plane needs into dir.
func writeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	a := &authority{dir: dir}
	var err error
	a.cert, a.key, err = a.issue("ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "conformance rig"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	if err != nil {
		return err
	}
	server := func(ips ...string) *x509.Certificate {
		c := &x509.Certificate{
			Subject:     pkix.Name{CommonName: "rig"},
			DNSNames:    []string{"kubernetes", "kubernetes.default.svc", "localhost"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		for _, ip := range ips {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(ip))
		}
		return c
	}
	client := func(name, group string) *x509.Certificate {
		return &x509.Certificate{
			Subject:     pkix.Name{CommonName: name, Organization: []string{group}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
	}
	for name, template := range map[string]*x509.Certificate{
		"apiserver":       server(controlIP, "127.0.0.1", serviceCIDRFirst),
		"kubelet":         server(nodeIP),
		"admin":           client("admin", "system:masters"),
		"kubelet-client":  client("kube-apiserver", "rig:apiserver"),
		"service-account": client("service-account", "rig"),
	} {
		if _, _, err := a.issue(name, template); err != nil {
			return err
		}
	}
	return nil
}
