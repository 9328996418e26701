// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// serveDNS stands in for the suite's CoreDNS: it answers every query for an
// address with the client's own.
func serveDNS(ctx context.Context) error {
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, "udp", ":53")
	if err != nil {
		return err
	}
	go func() { <-ctx.Done(); conn.Close() }()
	buffer := make([]byte, 4096)
	for {
		n, client, err := conn.ReadFrom(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var message dnsmessage.Message
		if message.Unpack(buffer[:n]) != nil || message.Response {
			continue
		}
		message.Response, message.Authoritative = true, true
		message.Additionals = nil
		for _, question := range message.Questions {
			address := client.(*net.UDPAddr).IP.To4()
			if question.Type != dnsmessage.TypeA || address == nil {
				continue
			}
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte(address)},
			})
		}
		if reply, err := message.Pack(); err == nil {
			_, _ = conn.WriteTo(reply, client)
		}
	}
}
