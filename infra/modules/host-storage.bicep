// What the Functions host itself stores: function keys, timer status and leases, and the app's package.
// Apart from the app's data, so that neither can touch the other's, and never a hierarchical namespace
// (https://learn.microsoft.com/azure/azure-functions/storage-considerations).

param name string
param location string
param tags object
param redundancy string

@description('Whether the account answers from outside the virtual network. Without one it must: the app has no fixed address.')
param publicAccess bool

var packageContainerName = 'app-package'

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
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isHnsEnabled: false
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: { bypass: 'None', defaultAction: publicAccess ? 'Allow' : 'Deny' }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      // A deleted package or key file can be brought back for a week.
      deleteRetentionPolicy: { enabled: true, days: 7 }
      containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    }

    resource packages 'containers' = {
      name: packageContainerName
      properties: { publicAccess: 'None' }
    }
  }
}

output id string = account.id
output name string = account.name
output blobUri string = account.properties.primaryEndpoints.blob
output tableUri string = account.properties.primaryEndpoints.table
output packageContainer string = packageContainerName
