// SPDX-License-Identifier: Apache-2.0
// What a listener terminates TLS with: certificates, options, and the check of clients' certificates that its Gateway asks for.
#pragma once

#include "ctl/compile/listeners.hpp"
#include "ctl/compile/material.hpp"

namespace penstock::compile {

// Fill the listener's TLS, and `refused` and `unresolved` where something is wrong.
void resolve_certificates(Listener& listener, Material& material);
void read_options(Listener& listener);
// Of HTTPS listeners, by spec.tls.frontend of the Gateway, which holds for listeners of its sets too.
void resolve_frontend(Listener& listener, const Typed<model::Gateway>& gateway, Material& material);

// spec.tls.backend of the Gateway: what it shows to backends.
void resolve_client_certificate(GatewayFront& gateway, Material& material);

}  // namespace penstock::compile
