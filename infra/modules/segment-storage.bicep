// A new account for Customer Insights to write segments into. Deployed only when no existing one is named.

param name string
param location string
param tags object
param redundancy string

@description('Container where segments land.')
param container string

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    // Customer Insights signs in with its service principal: https://learn.microsoft.com/dynamics365/customer-insights/data/connect-service-principal
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isHnsEnabled: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Customer Insights writes from outside, from addresses that are not published.
    publicNetworkAccess: 'Enabled'
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow' }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      // Segments are personal data: what Customer Insights deletes is gone.
      deleteRetentionPolicy: { enabled: false }
      containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    }

    resource segments 'containers' = {
      name: container
      properties: { publicAccess: 'None' }
    }
  }
}

output name string = account.name
