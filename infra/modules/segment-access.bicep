// The only right that the app has where segments land, in that account's own resource group.

param principalId string
param storageAccountName string
param container string

// Reads the files of segments; https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
var storageBlobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: storageAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource segments 'containers' existing = {
      name: container
    }
  }
}

resource read 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::blobs::segments
  name: guid(account::blobs::segments.id, principalId, storageBlobDataReader)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataReader)
    description: 'The segment exporter reads segments. It never writes here.'
  }
}

output storageAccountId string = account.id
output storageAccountName string = account.name
output blobUri string = account.properties.primaryEndpoints.blob
