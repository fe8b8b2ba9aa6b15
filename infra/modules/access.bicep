// Every right of the app in this resource group, each with its reason. What it may do where segments land is in
// segment-access.bicep. Role ids: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles

param principalId string
param hostStorageName string
param exportStorageName string
param exportContainers array
param vaultName string
param componentName string

@description('Whether the app may write secrets.')
param storeApiKeys bool

var roles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2026-04-01' existing = { name: hostStorageName }
resource exportStorage 'Microsoft.Storage/storageAccounts@2026-04-01' existing = { name: exportStorageName }
resource exportBlobService 'Microsoft.Storage/storageAccounts/blobServices@2026-04-01' existing = {
  parent: exportStorage
  name: 'default'
}
resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = [
  for name in exportContainers: { parent: exportBlobService, name: name }
]
resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = { name: vaultName }
resource component 'Microsoft.Insights/components@2020-02-02' existing = { name: componentName }

// Leases, timer status, function keys and the app's package: the host asks for this role, not for less.
// https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostStorage
  name: guid(hostStorage.id, principalId, roles.storageBlobDataOwner)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
    description: 'Host storage: leases, timer status, function keys, the package.'
  }
}

// The host's own diagnostic events, which `az functionapp` and the portal show when an app does not start.
resource hostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostStorage
  name: guid(hostStorage.id, principalId, roles.storageTableDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageTableDataContributor
    )
    description: 'Host storage: diagnostic events of the host.'
  }
}

// Records, working copies and reject reports are written, read and deleted; ledgers and the audit trail are appended to.
// By container, so that the app can neither make others nor change the account, or the policy of the audit trail.
resource exportBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in exportContainers: {
    scope: containers[index]
    name: guid(containers[index].id, principalId, roles.storageBlobDataContributor)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageBlobDataContributor
      )
      description: 'The exporter reads, writes and deletes ${name}.'
    }
  }
]

// The triggers receive and delete messages, and extend and release them, which the two smaller queue roles do not
// allow together; the host makes poison queues (https://github.com/MicrosoftDocs/azure-docs/issues/120932).
resource exportQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: exportStorage
  name: guid(exportStorage.id, principalId, roles.storageQueueDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageQueueDataContributor
    )
    description: 'Messages between the steps of a run, and poison queues.'
  }
}

// Reads the API keys and the people key and, unless that is switched off, stores the API keys of new connections; it can
// neither list nor delete secrets, as the built-in role that stores them could. One assignment for both: a deployment takes no assignment away,
// but it does change what a role allows.
resource apiKeys 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(vault.id, 'api-keys')
  properties: {
    roleName: 'Segment exporter: API keys in ${vaultName}' // unique in the tenant
    description: 'Read secrets by name and, where storeApiKeys is on, store them.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: concat(
          ['Microsoft.KeyVault/vaults/secrets/getSecret/action'],
          storeApiKeys ? ['Microsoft.KeyVault/vaults/secrets/setSecret/action'] : []
        )
        notDataActions: []
      }
    ]
  }
}

resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, 'api-keys')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', apiKeys.name)
    description: 'Reads API keys and the people key, and stores API keys of new connections where that is allowed.'
  }
}

// Telemetry is sent with the identity, because the component takes no instrumentation keys.
resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, principalId, roles.monitoringMetricsPublisher)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.monitoringMetricsPublisher
    )
    description: 'Sends telemetry.'
  }
}
