// Everything that the service needs in a subscription. `azd up` deploys it; docs/how-to/deploy.md is the way through.
targetScope = 'subscription'

// ---- where -----------------------------------------------------------------------------------------------------

@description('Name of the environment, such as segments-prod. It names the resource group and tags every resource.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Azure region with Flex Consumption. Choose the region of the account where segments land.')
@metadata({ azd: { type: 'location' } })
param location string

// ---- where segments land ---------------------------------------------------------------------------------------

@description('Resource id of the existing storage account where Customer Insights writes segments. Empty: a new one is made.')
param segmentStorageAccountId string = ''

@description('Container where segments land.')
param segmentContainer string = 'dynamics365customerinsights'

@description('Folder in that container below which segments are looked for. Empty: the whole container.')
param segmentPrefix string = ''

@description('Seconds without a write after which a refresh counts as complete.')
@minValue(0)
@maxValue(86400)
param segmentQuietSeconds int = 300

@description('Columns of segments whose values are never shown, not even masked: names separated by commas.')
param hiddenColumns string = ''

// ---- when and how fast -----------------------------------------------------------------------------------------

@description('Minutes between two looks at which exports are due. The dead-man alert fires after 30 without one.')
@minValue(1)
@maxValue(20)
param lookEveryMinutes int = 5

@description('Times of exports whose schedule is cron and names none of its own: NCRONTAB, six fields, UTC.')
param exportSchedule string = '0 0 2 * * *'

@description('Bulk requests a minute to one ActiveCampaign account. Lower it when other integrations share the account.')
@minValue(6)
@maxValue(96)
param bulkRequestsPerMinute int = 96

@description('Further exact host suffixes of ActiveCampaign, separated by commas, such as api-eu1.com.')
param activeCampaignHostSuffixes string = ''

@description('How many times larger or smaller than last time a segment may be before its run is held.')
param sizeChangeFactor string = '10'

@description('Other settings of exporter/settings.py, by name, where a default does not fit: { LANES: \'2\' }.')
param otherSettings object = {}

// ---- how long data stays ---------------------------------------------------------------------------------------

@description('Days after which a reject report, which holds e-mail addresses, is deleted.')
@minValue(1)
@maxValue(365)
param rejectsRetentionDays int = 30

@description('Days after which the record of a run is deleted.')
@minValue(366)
param recordsRetentionDays int = 400

@description('Days for which an entry of the audit trail can be neither changed nor deleted; the app deletes it then.')
@minValue(1)
@maxValue(3650)
param auditRetentionDays int = 400

@description('Whether somebody has locked that protection (docs/how-to/lock-the-audit-trail.md): it is then left alone.')
param auditTrailLocked bool = false

@description('Days for which logs are kept. Telemetry holds no personal data of profiles.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

// ---- who -------------------------------------------------------------------------------------------------------

@description('Who gets the alerts: an e-mail address, best that of a group.')
param alertEmail string

@description('Address under which your people read docs/how-to, so that alerts link their runbooks. Empty: alerts name them.')
param runbooksUrl string = ''

@description('Client id of the Entra app registration that signs callers in, instead of function keys. Empty: function keys.')
param entraClientId string = ''

@description('Further applications that may get tokens for the app, by client id, separated by commas: the one of your releases. The Azure CLI always may.')
param entraClients string = ''

@description('Where browsers see the app, if that is not its own address: such as https://exports.contoso.com, separated by commas.')
param consoleOrigins string = ''

@description('Whether saving a connection through the API may store its API key in Key Vault.')
param storeApiKeys bool = true

@description('Whether a deleted vault stays for 90 days, and with it its name. Cannot be switched off later.')
param purgeProtection bool = true

// ---- size and network ------------------------------------------------------------------------------------------

@description('Memory of an instance in MB; docs/reference/cost.md has the measured need.')
@allowed([2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances of a function. A cost guard only: the rate limit is kept by the app itself.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Redundancy of all new storage accounts. Standard_LRS in a region without availability zones.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageRedundancy string = 'Standard_ZRS'

@description('Whether storage and Key Vault are reached through private endpoints in a virtual network only.')
param vnetEnabled bool = false

@description('Address space of that virtual network, /23 or larger; the first two /24 of it are used.')
param vnetAddressPrefix string = '10.0.0.0/16'

// ----------------------------------------------------------------------------------------------------------------

var tags = { 'azd-env-name': environmentName }
var token = toLower(uniqueString(subscription().id, environmentName, location))
// Values that a decorator cannot check; what Azure would say of them names neither the setting nor what is expected.
var alertAddress = contains(alertEmail, '@')
  ? alertEmail
  : fail('Expected ALERT_EMAIL (alertEmail) to be an e-mail address, found "${alertEmail}".')
var runbooks = empty(runbooksUrl) || startsWith(runbooksUrl, 'https://')
  ? runbooksUrl
  : fail('Expected RUNBOOKS_URL (runbooksUrl) to begin with https://, found "${runbooksUrl}".')
var schedule = length(filter(split(exportSchedule, ' '), field => !empty(field))) == 6
  ? exportSchedule
  : fail('Expected EXPORT_SCHEDULE (exportSchedule) to have six fields (second, minute, hour, day, month, weekday), found "${exportSchedule}".')
var addressSpace = int(last(split('/${vnetAddressPrefix}', '/'))) <= 23
  ? vnetAddressPrefix
  : fail('Expected vnetAddressPrefix to be /23 or larger, found ${vnetAddressPrefix}.')
// Who may sign in is decided by this template and the platform; a setting that only says so would open the app to all.
var decidedElsewhere = filter(
  map(items(otherSettings), setting => setting.key),
  name => contains(['SIGN_IN', 'WEBSITE_HOSTNAME', 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'], toUpper(name)) || startsWith(toUpper(name), 'WEBSITE_AUTH_')
)
var settings = empty(decidedElsewhere)
  ? otherSettings
  : fail('Expected otherSettings without what ENTRA_CLIENT_ID (entraClientId) and the platform decide, found ${join(decidedElsewhere, ', ')}.')
var azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46' // of Microsoft; the same in every tenant
// /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/NAME
var accountParts = split(segmentStorageAccountId, '/')
var accountType = toLower(join(skip(take(accountParts, 8), 6), '/'))
var accountGiven = length(accountParts) == 9 && accountType == 'microsoft.storage/storageaccounts'
var newSegmentAccount = empty(segmentStorageAccountId) || accountGiven
  ? !accountGiven
  : fail('Expected SEGMENT_STORAGE_ACCOUNT_ID (segmentStorageAccountId) to be the resource id of a storage account: az storage account show --query id. Found "${segmentStorageAccountId}".')
var segmentSubscriptionId = newSegmentAccount ? subscription().subscriptionId : accountParts[2]
// Names of the app's containers are fixed in its code; roles are given by container.
var exportContainers = ['records', 'working', 'rejects', 'audit']
var functionAppName = 'func-${token}'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

resource segmentGroup 'Microsoft.Resources/resourceGroups@2025-04-01' existing = {
  name: newSegmentAccount ? group.name : accountParts[4]
  scope: subscription(segmentSubscriptionId)
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-${token}', location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-${token}'
    componentName: 'appi-${token}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  name: 'host-storage'
  scope: group
  params: {
    name: 'sthost${token}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    publicAccess: !vnetEnabled
  }
}

module exportStorage 'modules/export-storage.bicep' = {
  name: 'export-storage'
  scope: group
  params: {
    name: 'stexport${token}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    publicAccess: !vnetEnabled
    rejectsRetentionDays: rejectsRetentionDays
    recordsRetentionDays: recordsRetentionDays
    auditRetentionDays: auditRetentionDays
    auditTrailLocked: auditTrailLocked
    containers: exportContainers
    workspaceId: monitoring.outputs.workspaceId
  }
}

module segmentStorage 'modules/segment-storage.bicep' = if (newSegmentAccount) {
  name: 'segment-storage'
  scope: group
  params: {
    name: 'stsegment${token}'
    location: location
    tags: tags
    container: segmentContainer
    redundancy: storageRedundancy
  }
}

module vault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    publicAccess: !vnetEnabled
    purgeProtection: purgeProtection
    workspaceId: monitoring.outputs.workspaceId
  }
}

module access 'modules/access.bicep' = {
  name: 'access'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    hostStorageName: hostStorage.outputs.name
    exportStorageName: exportStorage.outputs.name
    exportContainers: exportContainers
    vaultName: vault.outputs.name
    componentName: monitoring.outputs.componentName
    storeApiKeys: storeApiKeys
  }
}

module segmentAccess 'modules/segment-access.bicep' = {
  name: 'segment-access-${token}'
  scope: segmentGroup
  params: {
    principalId: identity.outputs.principalId
    // The new account's name is taken from its module, so that it exists before the role is assigned.
    storageAccountName: newSegmentAccount ? segmentStorage!.outputs.name : accountParts[8]
    container: segmentContainer
  }
}

module network 'modules/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    addressPrefix: addressSpace
    hostStorageId: hostStorage.outputs.id
    exportStorageId: exportStorage.outputs.id
    segmentStorageId: segmentAccess.outputs.storageAccountId
    segmentStorageIsForeign: segmentSubscriptionId != subscription().subscriptionId
    vaultId: vault.outputs.id
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  // Without its roles the app could not even read its package; without its network not resolve its storage.
  dependsOn: [access]
  params: {
    name: functionAppName
    planName: 'plan-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    connectionString: monitoring.outputs.connectionString
    hostStorageName: hostStorage.outputs.name
    hostBlobUri: hostStorage.outputs.blobUri
    hostTableUri: hostStorage.outputs.tableUri
    packageContainer: hostStorage.outputs.packageContainer
    exportBlobUri: exportStorage.outputs.blobUri
    exportQueueUri: exportStorage.outputs.queueUri
    segmentBlobUri: segmentAccess.outputs.blobUri
    vaultUri: vault.outputs.uri
    segmentContainer: segmentContainer
    segmentPrefix: segmentPrefix
    segmentQuietSeconds: segmentQuietSeconds
    hiddenColumns: hiddenColumns
    storeApiKeys: storeApiKeys
    lookEveryMinutes: lookEveryMinutes
    exportSchedule: schedule
    bulkRequestsPerMinute: bulkRequestsPerMinute
    activeCampaignHostSuffixes: activeCampaignHostSuffixes
    rejectsRetentionDays: rejectsRetentionDays
    auditRetentionDays: auditRetentionDays
    sizeChangeFactor: sizeChangeFactor
    otherSettings: settings
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
    entraClientId: entraClientId
    entraClients: concat([azureCli], filter(map(split(entraClients, ','), one => trim(one)), one => !empty(one)))
    consoleOrigins: consoleOrigins
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  // A rule on a component that is seconds old may be refused, because its tables are not there yet.
  dependsOn: [functionApp]
  params: {
    location: location
    tags: tags
    componentId: monitoring.outputs.componentId
    email: alertAddress
    runbooksUrl: empty(runbooks) ? 'docs/how-to' : runbooks
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: { location: location, tags: tags, componentId: monitoring.outputs.componentId }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = functionApp.outputs.name
output FUNCTION_APP_URL string = functionApp.outputs.url
output ENTRA_CLIENT_ID string = entraClientId
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output KEY_VAULT_NAME string = vault.outputs.name
output EXPORT_STORAGE_ACCOUNT string = exportStorage.outputs.name
output SEGMENT_STORAGE_ACCOUNT string = segmentAccess.outputs.storageAccountName
output SEGMENT_CONTAINER string = segmentContainer
