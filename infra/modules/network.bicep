// Optional: storage and Key Vault answer inside this network only, and calls to ActiveCampaign leave from one address.

param token string
param location string
param tags object
param addressPrefix string
param hostStorageId string
param exportStorageId string
param segmentStorageId string

@description('Whether that account is in another subscription: its owner has to approve the endpoint then.')
param segmentStorageIsForeign bool

param vaultId string

// Subnets have no way out of their own (https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access);
// the gateway is the way to ActiveCampaign, Entra and Azure Monitor, from an address that others can put on a list.
resource outboundAddress 'Microsoft.Network/publicIPAddresses@2025-09-01' = {
  name: 'pip-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/natGateways@2025-09-01' = {
  name: 'ng-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: outboundAddress.id }] }
}

// Nothing outside the network may begin a connection into it; the defaults of a security group say just that.
resource rules 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: 'nsg-${token}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-09-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 0)
          defaultOutboundAccess: false
          // What Flex Consumption asks for: https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to#enable-virtual-network-integration
          delegations: [{ name: 'flex-consumption', properties: { serviceName: 'Microsoft.App/environments' } }]
          natGateway: { id: gateway.id }
          networkSecurityGroup: { id: rules.id }
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 1)
          defaultOutboundAccess: false
          networkSecurityGroup: { id: rules.id }
        }
      }
    ]
  }

  resource app 'subnets' existing = { name: 'app' }
  resource endpoints 'subnets' existing = { name: 'private-endpoints' }
}

var zones = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.vaultcore.azure.net'
]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for name in zones: { name: name, location: 'global', tags: tags }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (name, index) in zones: {
    parent: zone[index]
    name: 'vnet-${token}'
    location: 'global'
    tags: tags
    properties: {
      virtualNetwork: { id: network.id }
      registrationEnabled: false
      // Names that have no private endpoint here, such as other people's storage, are looked up on the internet.
      resolutionPolicy: 'NxDomainRedirect'
    }
  }
]

// `zone` counts the list above.
var endpoints = [
  { name: 'host-blob', target: hostStorageId, service: 'blob', zone: 0, ask: false }
  { name: 'host-table', target: hostStorageId, service: 'table', zone: 2, ask: false }
  { name: 'export-blob', target: exportStorageId, service: 'blob', zone: 0, ask: false }
  { name: 'export-queue', target: exportStorageId, service: 'queue', zone: 1, ask: false }
  { name: 'segment-blob', target: segmentStorageId, service: 'blob', zone: 0, ask: segmentStorageIsForeign }
  { name: 'vault', target: vaultId, service: 'vault', zone: 3, ask: false }
]

var connections = [
  for one in endpoints: {
    name: one.name
    properties: {
      privateLinkServiceId: one.target
      groupIds: [one.service]
      requestMessage: one.ask ? 'The segment exporter reads segments.' : null
    }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-09-01' = [
  for (one, index) in endpoints: {
    name: 'pe-${one.name}-${token}'
    location: location
    tags: tags
    properties: {
      subnet: { id: network::endpoints.id }
      // Without the right to approve on the target, only the second kind is accepted.
      privateLinkServiceConnections: one.ask ? [] : [connections[index]]
      manualPrivateLinkServiceConnections: one.ask ? [connections[index]] : []
    }
  }
]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-09-01' = [
  for (one, index) in endpoints: {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: one.service, properties: { privateDnsZoneId: zone[one.zone].id } }]
    }
  }
]

output appSubnetId string = network::app.id
output outboundAddress string = outboundAddress.properties.ipAddress
