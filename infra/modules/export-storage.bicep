// The app's own data: records of runs, working copies, reject reports, the audit trail, and the queues between the steps.

param name string
param location string
param tags object
param redundancy string

@description('Whether the account answers from outside the virtual network. Without one it must: the app has no fixed address.')
param publicAccess bool

@description('Days after which a reject report is deleted.')
param rejectsRetentionDays int

@description('Days after which the record of a run is deleted.')
param recordsRetentionDays int

@description('Days for which an entry of the audit trail can be neither changed nor deleted.')
param auditRetentionDays int

@description('Whether the policy of the audit trail is locked. A locked one takes no PUT, so it is left alone.')
param auditTrailLocked bool

@description('Containers to make.')
param containers array

@description('Log Analytics workspace that gets the log of who read and wrote blobs.')
param workspaceId string

// The host would make the poison queues when it first needs one; made here, their triggers can listen from the start.
var queues = ['plan-run', 'plan-run-poison', 'upload-lane', 'upload-lane-poison']

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
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-04-01' = {
  parent: account
  name: 'default'
  properties: {
    // No soft delete and no versions for blobs: a deleted working copy or reject report must be gone.
    deleteRetentionPolicy: { enabled: false }
    isVersioningEnabled: false
    // A whole container is deleted by mistake only.
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = [
  for name in containers: {
    parent: blobs
    name: name
    properties: { publicAccess: 'None' }
  }
]

resource audit 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = {
  parent: blobs
  name: 'audit'
}

// Entries are written once, with one line appended for the outcome. Only somebody with rights over the account, which
// the app does not have, can take the policy away, and nobody once it is locked:
// https://learn.microsoft.com/azure/storage/blobs/immutable-container-level-worm-policies
resource auditPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2026-04-01' = if (!auditTrailLocked) {
  parent: audit
  name: 'default'
  dependsOn: [container]
  properties: {
    immutabilityPeriodSinceCreationInDays: auditRetentionDays
    allowProtectedAppendWrites: true
  }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2026-04-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-04-01' = [
  for name in queues: {
    parent: queueService
    name: name
  }
]

// The app deletes in time by itself (exporter/pipeline/sweep.py); these rules hold when it does not run.
// They run about once a day, and do not delete where an immutability policy is, so there is none for the audit trail:
// https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2026-04-01' = {
  parent: account
  name: 'default'
  dependsOn: [blobs]
  properties: {
    policy: {
      rules: [
        {
          name: 'working-copies'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['working/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 1 } } }
          }
        }
        {
          name: 'reject-reports'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['rejects/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: rejectsRetentionDays } } }
          }
        }
        {
          name: 'idempotency-keys'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['records/idempotency/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 7 } } }
          }
        }
        {
          name: 'run-records'
          type: 'Lifecycle'
          enabled: true
          definition: {
            // Ledgers are append blobs.
            filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['records/runs/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: recordsRetentionDays } } }
          }
        }
      ]
    }
  }
}

// Who read a reject report, and who deleted a record, can be told afterwards.
resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'access-log'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

output id string = account.id
output name string = account.name
output blobUri string = account.properties.primaryEndpoints.blob
output queueUri string = account.properties.primaryEndpoints.queue
