// The app on Flex Consumption, and every setting that it reads.

param name string
param planName string
param location string
param tags object
param identityId string
param identityClientId string
param connectionString string
param hostStorageName string
param hostBlobUri string
param hostTableUri string
param packageContainer string
param exportBlobUri string
param exportQueueUri string
param segmentBlobUri string
param vaultUri string
param segmentContainer string
param segmentPrefix string
param segmentQuietSeconds int
param hiddenColumns string
param storeApiKeys bool
param lookEveryMinutes int
param exportSchedule string
param bulkRequestsPerMinute int
param activeCampaignHostSuffixes string
param rejectsRetentionDays int
param auditRetentionDays int
param sizeChangeFactor string
param otherSettings object
param instanceMemoryMB int
param maximumInstanceCount int

@description('Subnet for the app\'s own calls. Empty: no virtual network.')
param subnetId string

@description('Client id of the Entra app registration that signs callers in, instead of function keys. Empty: function keys.')
param entraClientId string

@description('Applications that may get tokens for the app, by client id, besides its own pages.')
param entraClients array

param consoleOrigins string

// On Flex Consumption the runtime is named in functionAppConfig; FUNCTIONS_* and build settings do not belong here.
var hostSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  // With the addresses alone, the host may fail to start: https://github.com/Azure/azure-functions-host/issues/11787
  AzureWebJobsStorage__accountName: hostStorageName
  AzureWebJobsStorage__blobServiceUri: hostBlobUri
  AzureWebJobsStorage__tableServiceUri: hostTableUri
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

// For the queue triggers, which the host runs, a connection needs its endpoint, how to sign in and as whom.
var triggerSettings = {
  ExportStorage__credential: 'managedidentity'
  ExportStorage__clientId: identityClientId
}

// For azure-identity in the app's own process: this identity, and no other way of signing in.
var identitySettings = {
  AZURE_CLIENT_ID: identityClientId
  AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
}

// All lanes of a run share an instance, each in a thread. The default is 5 on one core.
var workerSettings = {
  PYTHON_THREADPOOL_THREAD_COUNT: '16'
}

// What exporter/settings.py reads. An empty value means the default of the code.
var exporterSettings = {
  ExportStorage__blobServiceUri: exportBlobUri
  ExportStorage__queueServiceUri: exportQueueUri
  SegmentStorage__blobServiceUri: segmentBlobUri
  SEGMENT_CONTAINER: segmentContainer
  SEGMENT_PREFIX: segmentPrefix
  SEGMENT_QUIET_S: string(segmentQuietSeconds)
  HIDDEN_COLUMNS: hiddenColumns
  KEY_VAULT_URI: vaultUri
  STORE_API_KEYS: storeApiKeys ? '' : 'false'
  LOOK_SCHEDULE: '0 */${lookEveryMinutes} * * * *'
  EXPORT_SCHEDULE: exportSchedule
  // Recovery times assume a sweep every minute; an empty one costs six storage operations.
  SWEEP_SCHEDULE: '0 * * * * *'
  ACTIVECAMPAIGN_HOST_SUFFIXES: activeCampaignHostSuffixes
  BULK_REQUESTS_PER_MINUTE: string(bulkRequestsPerMinute)
  REJECTS_RETENTION_DAYS: string(rejectsRetentionDays)
  AUDIT_RETENTION_DAYS: string(auditRetentionDays)
  SIZE_CHANGE_FACTOR: sizeChangeFactor
  SIGN_IN: empty(entraClientId) ? 'key' : 'entra'
  CONSOLE_ORIGINS: consoleOrigins
}

// With this name, the platform proves to Entra that it is the app by the app's identity, instead of by a secret:
// https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad#use-a-managed-identity-instead-of-a-secret-preview
var assertionSettings = empty(entraClientId) ? {} : { OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId }

// The template's own settings win: identity and endpoints cannot be changed by the way.
var appSettings = union(
  otherSettings,
  exporterSettings,
  hostSettings,
  triggerSettings,
  identitySettings,
  workerSettings,
  assertionSettings
)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostBlobUri}${packageContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: []
      }
    }
    // Flex Consumption refuses ftpsState, alwaysOn and other properties of other plans (error 51021,
    // https://github.com/Azure/terraform-azurerm-avm-res-web-site/pull/345); it has no FTP to switch off.
    siteConfig: {
      appSettings: [for setting in items(appSettings): { name: setting.key, value: setting.value }]
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
    }
  }

  // Packages are deployed with Entra tokens; user names and passwords for that do not exist.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }
  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

// Callers show a token for the app registration, or the session of a browser that has signed in; the platform checks
// either before the app sees the request, whose functions then ask for no key.
var signInSettings = {
  platform: { enabled: true }
  globalValidation: {
    requireAuthentication: true
    // Not the redirect to a page of Microsoft's: a script would take that for an answer. The console links to it.
    unauthenticatedClientAction: 'Return401'
    // Probes have no account, and the answer says nothing but whether the app is configured. The pages of the console
    // hold no data. No other path of the API may begin like these: it is not documented that they are not prefixes.
    excludedPaths: ['/api/health', '/api/console']
  }
  httpSettings: { requireHttps: true }
  identityProviders: {
    azureActiveDirectory: {
      enabled: true
      registration: {
        clientId: entraClientId
        openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
      }
      validation: {
        allowedAudiences: [entraClientId, 'api://${entraClientId}']
        // Left out, any application of the tenant could bring a person's token.
        defaultAuthorizationPolicy: { allowedApplications: concat([entraClientId], entraClients) }
      }
    }
  }
  login: {
    tokenStore: { enabled: false } // nothing calls another service in a person's name
    // A role that was taken away counts until the next sign-in; the default is eight hours.
    cookieExpiration: { convention: 'FixedTime', timeToExpiration: '01:00:00' }
  }
}

// Deployed in any case: a deployment leaves alone what it does not name, and sign-in could not be switched off.
resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: empty(entraClientId) ? { platform: { enabled: false } } : signInSettings
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
